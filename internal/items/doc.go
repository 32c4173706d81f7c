// Package items knows the formats in which a list of items is kept in object
// stores and written there: JSON, JSON Lines, delimited text, the manifests of
// S3 inventories and of Athena, and the result files of a distributed map.
//
// The formats and the words of the errors that have names here follow the
// ItemReader and ResultWriter of AWS Step Functions. The package is pure: it
// reads from readers that it is given and returns bytes.
//
//	for item, err := range items.CSV(r, items.CSVOptions{Delimiter: '|'}) {
//		…
//	}
package items
