// Package sql knows the connectors sql.query and sql.execute, the connection
// types postgres and sqlite, and the effect ledger: a table in the user's
// database that makes a step's effect happen once.
//
// Statements get their values as parameters, never as text. What comes back is
// bounded in rows and bytes. PostgreSQL is called through the egress dialer,
// by connections that are kept open for a while and forget everything between
// calls; SQLite files are opened anew for each call, which takes half a
// millisecond and leaves no state and no lock behind.
//
// The package imports connector, egress and pure packages; nothing else of
// Regie.
//
//	db := sql.New(sql.Config{Dialer: dialer, SQLiteFolders: []string{folder}})
//	defer db.Close()
//	result, err := db.Query().Call(ctx, connector.Call{
//		Input:      value.MustParse(`{"connection": "ledger", "statement": "select $1", "args": [1]}`),
//		Connection: &connector.Connection{Name: "ledger", Type: "sqlite", Fields: value.MustParse(`{"path": "ledger.db"}`)}, …
//	})
package sql
