package access_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/access"
)

// TestNames: names of users, groups and namespaces that are none, or that look
// like others, are refused in words that say why (row B65).
func TestNames(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"admin": "admin@*"})
	for name, want := range map[string]string{
		"":                        "has no name",
		"admin\x00x":              "control character U+0000",
		"\u0430dmin":              "U+0430 is not one of a-z",
		"admin ":                  "the space U+0020",
		"\u00a0admin":             "the space U+00A0",
		"Admin":                   `write "admin"`,
		"admin\n":                 "control character U+000A",
		"-admin":                  "begin with a small letter or a digit",
		".admin":                  "begin with a small letter or a digit",
		"admin/x":                 "have small letters",
		"../admin":                "have small letters",
		"admin\xff":               "not UTF-8",
		"admin\u200b":             "U+200B is not one of a-z",
		"ａdmin":                   "U+FF41 is not one of a-z",
		"*":                       "have small letters",
		strings.Repeat("a", 64):   "64 characters and may have 63",
		strings.Repeat("ä", 9000): "is not one of a-z",
	} {
		_, _, asUser := p.CreateUser(t.Context(), root, access.NewUser{Name: name})
		_, _, asGroup := p.PutGroup(t.Context(), root, name, "", nil)
		_, asNamespace := p.PutNamespace(t.Context(), root, access.Namespace{Name: name})
		_, asReset := p.Reset(t.Context(), name)
		for _, err := range []error{asUser, asGroup, asNamespace, asReset} {
			if !errors.Is(err, access.ErrInvalid) || !strings.Contains(err.Error(), want) || len(err.Error()) > 600 {
				t.Errorf("%.40q: %v, want %s", name, err, want)
			}
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("%.40q: the message has control characters", name)
			}
		}
	}
	for _, name := range []string{"a", "0", "ada.lovelace", "svc-eod_1", strings.Repeat("a", 63)} {
		if _, _, err := p.CreateUser(t.Context(), root, access.NewUser{Name: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	p := installed(t, nil)
	for name, c := range map[string]struct {
		text string
		good bool
	}{
		"plain":          {"Ada Lovelace, Ph. D. — Zürich 李", true},
		"joiner":         {"\U0001F469\u200d\U0001F52C", true},
		"empty":          {"", true},
		"right to left":  {"abc\u202edef", false},
		"control":        {"a\x1b[31m", false},
		"line":           {"a\nb", false},
		"NUL":            {"a\x00", false},
		"not UTF-8":      {"a\xff", false},
		"long":           {strings.Repeat("a", access.MaxDisplayName+1), false},
		"as long as may": {strings.Repeat("a", access.MaxDisplayName), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user := strings.ReplaceAll(strings.ToLower(name), " ", "-")
			_, _, err := p.CreateUser(t.Context(), root, access.NewUser{Name: user, DisplayName: c.text})
			if (err == nil) != c.good || err != nil && !errors.Is(err, access.ErrInvalid) {
				t.Errorf("%v", err)
			}
		})
	}
}
