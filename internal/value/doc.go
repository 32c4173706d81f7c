// Package value knows Regie's data: JSON values that keep the order of object
// keys and every digit of an integer.
//
// A [Value] is immutable by convention: nobody changes a list or object that
// was handed out. The zero Value is undefined, which differs from null: an
// output that was never set is undefined, an output set to nothing is null.
//
// The package is pure. It must not import anything of Regie.
//
//	v, err := value.Parse([]byte(`{"total": 12, "files": ["a", "b"]}`))
//	n, _ := v.Get("total").Int()    // 12
//	fmt.Println(v.Get("files"))     // ["a","b"]
package value
