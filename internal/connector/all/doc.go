// Package all lists every connector, and every type of connection and channel.
//
// It imports the connectors and what they need; commands and servers import
// it, nothing else does.
//
//	connectors := all.Connectors(all.Deps{Egress: egress.Config{Policy: policy}, SQLiteFolders: folders, ObjectFolders: folders})
//	defer all.Close(connectors)
package all
