// Package contexts knows the file in which the command line remembers servers:
// where they are, as whom it calls them, in which namespace.
//
// The file holds tokens. It is made with mode 0600, and one that others may read
// is refused. It knows nothing of commands or of the API.
//
//	path, err := contexts.Path(os.LookupEnv)
//	file, err := contexts.Load(path)
//	file.Put(contexts.Context{Name: "prod", Server: "https://regie.example.org", Token: token})
//	file.Current = "prod"
//	err = file.Save(path)
package contexts
