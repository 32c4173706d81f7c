package sql

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/regie-dev/regie/internal/value"
)

// Values travel as PostgreSQL's own text, in both directions: the server knows
// best how to read a text as what it expects, and text keeps every digit.

// element returns the type of the items of a built-in array type, 0 if it is
// none.
func element(oid uint32) uint32 {
	switch oid {
	case pgtype.BoolArrayOID:
		return pgtype.BoolOID
	case pgtype.ByteaArrayOID:
		return pgtype.ByteaOID
	case pgtype.Int2ArrayOID:
		return pgtype.Int2OID
	case pgtype.Int4ArrayOID:
		return pgtype.Int4OID
	case pgtype.Int8ArrayOID:
		return pgtype.Int8OID
	case pgtype.OIDArrayOID:
		return pgtype.OIDOID
	case pgtype.Float4ArrayOID:
		return pgtype.Float4OID
	case pgtype.Float8ArrayOID:
		return pgtype.Float8OID
	case pgtype.NumericArrayOID:
		return pgtype.NumericOID
	case pgtype.TextArrayOID, pgtype.VarcharArrayOID, pgtype.BPCharArrayOID, pgtype.NameArrayOID, pgtype.UUIDArrayOID,
		pgtype.InetArrayOID, pgtype.CIDRArrayOID, pgtype.MacaddrArrayOID, pgtype.TimeArrayOID, pgtype.IntervalArrayOID:
		return pgtype.TextOID
	case pgtype.DateArrayOID:
		return pgtype.DateOID
	case pgtype.TimestampArrayOID:
		return pgtype.TimestampOID
	case pgtype.TimestamptzArrayOID:
		return pgtype.TimestamptzOID
	case pgtype.JSONArrayOID, pgtype.JSONBArrayOID:
		return pgtype.JSONOID
	}
	return 0
}

// encodeParam writes a value as the text of a parameter of the type; nil is
// NULL. Its errors show no values.
func encodeParam(v value.Value, oid uint32) ([]byte, error) {
	if v.IsNull() {
		return nil, nil
	}
	switch v.Kind() {
	case value.KindList:
		if item := element(oid); item != 0 {
			return encodeArray(nil, v, item)
		}
	case value.KindString:
		s, _ := v.Str()
		if oid == pgtype.ByteaOID && !strings.HasPrefix(s, `\x`) {
			raw, err := base64.StdEncoding.DecodeString(s)
			if err != nil {
				return nil, errors.New("a bytea is written in base64")
			}
			return []byte(`\x` + hex.EncodeToString(raw)), nil
		}
		return []byte(s), nil
	case value.KindFloat:
		f, _ := v.Float()
		if f == math.Trunc(f) && math.Abs(f) < 1e15 {
			return strconv.AppendFloat(nil, f, 'f', 0, 64), nil // 2.0 is an integer, too
		}
	}
	return v.Append(nil), nil
}

// encodeArray writes {1,NULL,"a \"b\""}.
func encodeArray(b []byte, list value.Value, item uint32) ([]byte, error) {
	b = append(b, '{')
	for i, v := range list.Items() {
		if i > 0 {
			b = append(b, ',')
		}
		switch {
		case v.IsNull():
			b = append(b, "NULL"...)
		case v.Kind() == value.KindList && item != pgtype.JSONOID:
			var err error
			if b, err = encodeArray(b, v, item); err != nil {
				return nil, err
			}
		default:
			text, err := encodeParam(v, item)
			if err != nil {
				return nil, err
			}
			b = append(b, '"')
			for _, c := range text {
				if c == '"' || c == '\\' {
					b = append(b, '\\')
				}
				b = append(b, c)
			}
			b = append(b, '"')
		}
	}
	return append(b, '}'), nil
}

func decodeRow(raw [][]byte, fields []pgconn.FieldDescription) []value.Value {
	row := make([]value.Value, len(raw))
	for i, text := range raw {
		if text == nil {
			row[i] = value.Null
			continue
		}
		row[i] = decode(string(text), fields[i].DataTypeOID)
	}
	return row
}

// decode reads the text of a value of the type. What it does not know, or
// cannot read, stays the database's text.
func decode(text string, oid uint32) value.Value {
	if item := element(oid); item != 0 {
		if list, ok := decodeArray(text, item); ok {
			return list
		}
		return value.String(text)
	}
	switch oid {
	case pgtype.BoolOID:
		return value.Bool(text == "t")
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID:
		if n, ok := new(big.Int).SetString(text, 10); ok {
			return value.BigInt(n)
		}
	case pgtype.Float4OID, pgtype.Float8OID:
		if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return value.Float(f)
		}
	case pgtype.JSONOID, pgtype.JSONBOID:
		if v, err := value.Parse([]byte(text)); err == nil {
			return v
		}
	case pgtype.ByteaOID:
		if raw, err := hex.DecodeString(strings.TrimPrefix(text, `\x`)); err == nil {
			return value.String(base64.StdEncoding.EncodeToString(raw))
		}
	case pgtype.TimestamptzOID:
		if at, err := time.Parse("2006-01-02 15:04:05.999999999Z07", text); err == nil {
			return value.String(at.UTC().Format(time.RFC3339Nano))
		}
	case pgtype.TimestampOID:
		if at, err := time.Parse("2006-01-02 15:04:05.999999999", text); err == nil {
			return value.String(at.Format("2006-01-02T15:04:05.999999999"))
		}
	}
	return value.String(text)
}

// decodeArray reads {1,NULL,"a \"b\"",{2}}, with bounds such as [0:1]= before
// it.
func decodeArray(text string, item uint32) (value.Value, bool) {
	if strings.HasPrefix(text, "[") {
		_, text, _ = strings.Cut(text, "=")
	}
	p := arrayParser{text: text, item: item}
	list, ok := p.list(0)
	return list, ok && p.at == len(p.text)
}

type arrayParser struct {
	text string
	at   int
	item uint32
}

const maxArrayDepth = 6 // PostgreSQL's own limit

func (p *arrayParser) list(depth int) (value.Value, bool) {
	if depth > maxArrayDepth || !p.take('{') {
		return value.Undefined, false
	}
	items := []value.Value{}
	if p.take('}') {
		return value.List(), true
	}
	for {
		v, ok := p.value(depth)
		if !ok {
			return value.Undefined, false
		}
		items = append(items, v)
		if p.take('}') {
			return value.List(items...), true
		}
		if !p.take(',') {
			return value.Undefined, false
		}
	}
}

func (p *arrayParser) take(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *arrayParser) value(depth int) (value.Value, bool) {
	if p.at >= len(p.text) {
		return value.Undefined, false
	}
	if p.text[p.at] == '{' {
		return p.list(depth + 1)
	}
	if p.take('"') {
		var b strings.Builder
		for p.at < len(p.text) {
			c := p.text[p.at]
			p.at++
			if c == '"' {
				return decode(b.String(), p.item), true
			}
			if c == '\\' && p.at < len(p.text) {
				c = p.text[p.at]
				p.at++
			}
			b.WriteByte(c)
		}
		return value.Undefined, false
	}
	start := p.at
	for p.at < len(p.text) && p.text[p.at] != ',' && p.text[p.at] != '}' {
		p.at++
	}
	word := p.text[start:p.at]
	if word == "NULL" {
		return value.Null, true
	}
	return decode(word, p.item), word != ""
}
