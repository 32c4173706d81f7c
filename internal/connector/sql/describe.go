package sql

import (
	"fmt"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

// Bounds of a call.
const (
	// DefaultMaxRows and DefaultMaxBytes bound what a statement returns; the
	// others are the most that can be asked for, since results are held in
	// memory.
	DefaultMaxRows  = 10_000
	MaxMaxRows      = 1_000_000
	DefaultMaxBytes = 16 << 20
	MaxMaxBytes     = 256 << 20
	// MaxStatements is the longest list of statements.
	MaxStatements = 1000
)

func kind(k descriptor.Kind) descriptor.Type { return descriptor.Type{Kind: k} }

func listOf(t descriptor.Type) descriptor.Type {
	return descriptor.Type{Kind: descriptor.List, Elem: &t}
}

func statementFields() []descriptor.Field {
	return []descriptor.Field{
		{
			Name: "statement", Doc: "One SQL statement, with `$1`, `$2`, … where values belong.", Type: kind(descriptor.String),
			NoTemplate: "put the value into `args` and write $1 in its place", Example: "select id, amount from payments where state = $1",
		},
		{
			Name: "args", Doc: "The values of `$1`, `$2`, …, which the database reads as what it expects there; " +
				"objects, and lists where no array is expected, as JSON.",
			Type: listOf(kind(descriptor.Any)), Template: true, Example: `["${{ inputs.state }}", 12.5, null]`,
		},
	}
}

func boundFields() []descriptor.Field {
	return []descriptor.Field{
		{Name: "max_rows", Doc: "The most rows that a statement may return.", Type: descriptor.Type{
			Kind: descriptor.Integer, Min: descriptor.Bound(1), Max: descriptor.Bound(MaxMaxRows),
		}, Default: value.Int(DefaultMaxRows), Template: true},
		{Name: "max_bytes", Doc: "The most bytes that the rows of a statement may have.", Type: descriptor.Type{
			Kind: descriptor.Integer, Min: descriptor.Bound(1), Max: descriptor.Bound(MaxMaxBytes),
		}, Default: value.Int(DefaultMaxBytes), Template: true},
		{Name: "truncate", Doc: "Whether rows beyond the bounds are dropped; else they are the error `sql.too_many_rows`.", Type: kind(descriptor.Boolean), Default: value.False},
	}
}

func connectionField() descriptor.Field {
	return descriptor.Field{
		Name: "connection", Doc: "The connection of type `postgres` or `sqlite`.", Type: kind(descriptor.Name), Required: true, Template: true, Example: "ledger",
	}
}

func rowFields() []descriptor.Field {
	return []descriptor.Field{
		{Name: "rows", Doc: "The rows, as objects by column name; a name that occurs again gets `_2`, `_3`, ….", Type: listOf(kind(descriptor.Any)), Required: true},
		{Name: "columns", Doc: "The names of the columns, in order.", Type: listOf(kind(descriptor.String)), Required: true},
		{Name: "row_count", Doc: "How many rows there are here.", Type: kind(descriptor.Integer), Required: true},
		{Name: "truncated", Doc: "Whether rows were dropped.", Type: kind(descriptor.Boolean), Required: true},
	}
}

const valuesDoc = "Integers keep every digit; `numeric` is a text with all its digits; `timestamptz` is RFC 3339 in UTC, " +
	"`timestamp` the same without zone; `bytea` and blobs are base64; `json` columns are JSON, arrays of built-in types are lists; " +
	"all else is the database's text."

const errorsDoc = "Errors: `sql.` and the SQLSTATE with PostgreSQL, such as `sql.23505`; `sql.constraint`, `sql.busy`, `sql.readonly`, " +
	"`sql.error` (such as a syntax error) and the like with SQLite; `sql.connect`, `sql.connection_lost`, `sql.too_many_rows`, " +
	"`egress_denied`, `timeout`, `invalid_input`."

func describeQuery() *connector.Descriptor {
	fields := append([]descriptor.Field{connectionField()}, statementFields()...)
	fields[1].Required = true
	return &connector.Descriptor{
		Name:        "sql.query",
		Doc:         "Reads rows. The statement runs in a transaction that cannot change anything, so it can be repeated.\n\n" + valuesDoc + "\n\n" + errorsDoc,
		Connections: []string{"postgres", "sqlite"},
		Input: &descriptor.Object{
			Name: "sql.query", Doc: "What to read.", Fields: append(fields, boundFields()...),
			Example: "uses: sql.query\nwith:\n  connection: ledger\n  statement: select id, amount from payments where state = $1\n  args: [\"${{ inputs.state }}\"]\n",
		},
		Output:     &descriptor.Object{Name: "sql.query output", Doc: "The rows.", Fields: rowFields()},
		Idempotent: true,
	}
}

func describeExecute() *connector.Descriptor {
	one := statementFields()
	one[0].Required = true
	list := descriptor.Type{Kind: descriptor.List, Min: descriptor.Bound(1), Max: descriptor.Bound(MaxStatements), Elem: &descriptor.Type{
		Kind: descriptor.Struct, Object: &descriptor.Object{Name: "sql.execute statement", Doc: "One statement of several.", Fields: one},
	}}
	fields := append([]descriptor.Field{connectionField()}, statementFields()...)
	fields = append(fields,
		descriptor.Field{
			Name: "statements", Doc: "Several statements, which take effect together or not at all.", Type: list, Template: true,
			Example: `[{statement: "delete from totals"}, {statement: "insert into totals select sum(amount) from payments"}]`,
		},
		descriptor.Field{
			Name: "exactly_once", Doc: "Whether the effect is written down in the same transaction, so that another attempt of the step finds it.",
			Type: kind(descriptor.Boolean), Default: value.False,
		})
	resultFields := append([]descriptor.Field{{Name: "rows_affected", Doc: "How many rows were inserted, updated or deleted.", Type: kind(descriptor.Integer), Required: true}}, rowFields()...)
	result := &descriptor.Object{Name: "sql.execute result", Doc: "What one statement did, and the rows that it returned.", Fields: resultFields}
	return &connector.Descriptor{
		Name: "sql.execute",
		Doc: "Changes data: one statement, or several in one transaction. Statements may return rows (`returning`).\n\n" +
			"When the connection breaks while the database may already have acted, the outcome is unknown: the attempt counts as lost, not as failed.\n\n" +
			"With `exactly_once: true` the step's idempotency key is inserted into the table `" + ledgerTable + "` of the same database, in the same " +
			"transaction as the effect. An attempt that finds the key returns the recorded result and changes nothing; attempts at the same time wait " +
			"for each other; one whose fencing number is lower than the recorded one is refused (`sql.fenced`). The table is created when it is missing. " +
			"Where the user of the connection may not create tables, create it beforehand and grant the user what it needs:\n\n" +
			"```sql\n" + ledgerDDL("bigint", "timestamptz") + ";\n" + ledgerGrant + ";\n```\n\n" +
			"Rows can be deleted once no attempt of their run can come any more, such as after 90 days: " +
			"`delete from " + ledgerTable + " where at < now() - interval '90 days'`.\n\n" + valuesDoc + "\n\n" + errorsDoc,
		Connections: []string{"postgres", "sqlite"},
		Input: &descriptor.Object{
			Name: "sql.execute", Doc: "What to change.", Fields: append(fields, boundFields()...),
			OneOfGroups: []descriptor.Group{
				{Fields: []string{"statement", "statements"}, Needed: true, What: "what to execute"},
				{Fields: []string{"args", "statements"}, What: "the values"},
			},
			Example: "uses: sql.execute\nwith:\n  connection: ledger\n  statement: call settle($1)\n  args: [\"${{ file }}\"]\n  exactly_once: true\n",
		},
		Output: &descriptor.Object{
			Name: "sql.execute output", Doc: "What was changed.",
			Fields: append(resultFields,
				descriptor.Field{Name: "results", Doc: "With `statements`: the result of each; the fields above are then those of the last, but `rows_affected` counts all.", Type: listOf(descriptor.Type{Kind: descriptor.Struct, Object: result})},
				descriptor.Field{Name: "replayed", Doc: "With `exactly_once`: whether an earlier attempt had the effect, and this is its result.", Type: kind(descriptor.Boolean)}),
		},
	}
}

// PostgresType describes connections of type postgres.
func PostgresType() connector.ObjectType {
	text := kind(descriptor.String)
	return connector.ObjectType{
		Name: "postgres",
		Object: &descriptor.Object{
			Name: "postgres connection",
			Doc:  "A PostgreSQL database. Its host and port may be called through it also where they are private. The environment of the server (`PGHOST` and the like) has no influence.",
			Fields: []descriptor.Field{
				{Name: "url", Doc: "All in one URL; of the parameters `sslmode`, `application_name`, `search_path` and `host` (folder of a local socket).", Type: text, Template: true, Secrets: true, Example: `"${{ secrets.LEDGER_URL }}"`},
				{Name: "host", Doc: "Host name or address, or the folder of a local socket.", Type: text, Template: true, Secrets: true, Example: "ledger.example.org"},
				{Name: "port", Doc: "The port.", Type: descriptor.Type{Kind: descriptor.Integer, Min: descriptor.Bound(1), Max: descriptor.Bound(65535)}, Default: value.Int(defaultPort), Template: true},
				{Name: "database", Doc: "The database; that of the user's name if it is left out.", Type: text, Template: true, Secrets: true},
				{Name: "user", Doc: "The user.", Type: text, Template: true, Secrets: true},
				{Name: "password", Doc: "The password.", Type: text, Template: true, Secrets: true, Example: `"${{ secrets.LEDGER_PASSWORD }}"`},
				{Name: "sslmode", Doc: "Encryption, as PostgreSQL's own programs understand it.", Type: text, Enum: []descriptor.EnumValue{
					{Text: "disable", Doc: "None."},
					{Text: "prefer", Doc: "If the server offers it, whoever it is; the default, as with PostgreSQL's own programs."},
					{Text: "require", Doc: "Always; the server's certificate is checked only if `ca` is there."},
					{Text: "verify-ca", Doc: "Always, with a certificate from a known authority."},
					{Text: "verify-full", Doc: "Always, with a certificate from a known authority for this host. Use this where the network is not trusted."},
				}},
				{Name: "ca", Doc: "Certificates (PEM) of the authorities that the server's certificate must come from, instead of the system's.", Type: text, Template: true, Secrets: true},
				{Name: "application_name", Doc: "The name that the server shows for the connection; `regie` if it is left out.", Type: text},
				{Name: "search_path", Doc: "Schemas in which names are looked up.", Type: text, Example: "settlement, public"},
				{Name: "max_connections", Doc: "How many connections are open at once; further calls wait.", Type: descriptor.Type{Kind: descriptor.Integer, Min: descriptor.Bound(1), Max: descriptor.Bound(100)}, Default: value.Int(defaultConnections)},
			},
			OneOfGroups: []descriptor.Group{
				{Fields: []string{"url", "host"}, Needed: true, What: "where the database is"},
				{Fields: []string{"url", "database"}, What: "the database"},
				{Fields: []string{"url", "user"}, What: "the user"},
				{Fields: []string{"url", "password"}, What: "the password"},
			},
			Example: "kind: Connection\nname: ledger\ntype: postgres\nhost: ledger.example.org\ndatabase: ledger\nuser: regie\npassword: ${{ secrets.LEDGER_PASSWORD }}\nsslmode: verify-full\n",
		},
		Hosts: func(fields value.Value) ([]string, error) {
			p, err := parsePostgres(connector.Input{Value: fields})
			if err != nil {
				return nil, err
			}
			return []string{p.place().String()}, nil
		},
	}
}

// SQLiteType describes connections of type sqlite.
func SQLiteType() connector.ObjectType {
	return connector.ObjectType{
		Name: "sqlite",
		Object: &descriptor.Object{
			Name: "sqlite connection",
			Doc:  "An SQLite file in one of the folders that the server or the command allows. Declared foreign keys are enforced. Statements cannot attach other files.",
			Fields: []descriptor.Field{
				{Name: "path", Doc: "The file; a relative path starts at the first folder that is allowed, with `regie run` the one in which it was called.", Type: kind(descriptor.String), Required: true, Template: true, Example: "data/ledger.db"},
				{Name: "read_only", Doc: "Whether changes are refused.", Type: kind(descriptor.Boolean), Default: value.False},
				{Name: "create", Doc: "Whether `sql.execute` creates the file if it is missing.", Type: kind(descriptor.Boolean), Default: value.True},
				{Name: "busy_timeout", Doc: "How long to wait for others who write.", Type: kind(descriptor.Duration), Default: value.String("10s")},
			},
			Example: "kind: Connection\nname: ledger\ntype: sqlite\npath: data/ledger.db\n",
		},
	}
}

// ledgerTable is the table of the effect ledger.
const ledgerTable = "regie_effects"

const ledgerGrant = "grant select, insert, update on " + ledgerTable + " to the_user"

// ledgerDDL creates the effect ledger; the databases differ in the names of
// their types.
func ledgerDDL(integer, instant string) string {
	return fmt.Sprintf("create table if not exists %s (\n  key text primary key,\n  run text not null,\n  step text not null,\n"+
		"  attempt %[2]s not null,\n  incarnation %[2]s not null,\n  sequence %[2]s not null,\n  result text,\n  at %[3]s not null\n)",
		ledgerTable, integer, instant)
}
