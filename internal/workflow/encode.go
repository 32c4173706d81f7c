package workflow

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// Encode writes the stored form. Equal programs give equal bytes, so the hash
// of the bytes names the program.
func Encode(p *Program) (data []byte, hash [32]byte, err error) {
	data, err = json.Marshal(p)
	if err != nil {
		return nil, hash, fmt.Errorf("encode program %s: %w", p.Name, err)
	}
	return data, sha256.Sum256(data), nil
}

// Decode reads the stored form. A format number or member that this package
// does not know is an error: a program is never run by a Regie that
// understands only part of it.
func Decode(data []byte) (*Program, error) {
	var head struct{ Format int }
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("decode program: %w", err)
	}
	if head.Format != Format {
		return nil, fmt.Errorf("decode program: format %d is not known here (this Regie reads %d)", head.Format, Format)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	p := new(Program)
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("decode program: %w", err)
	}
	return p, nil
}
