package auditlog

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/secret"
)

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 64 << 10

// HTTPConfig says how checkpoints are sent to a server.
type HTTPConfig struct {
	// Client makes the calls; it must be one of package egress.
	Client *http.Client
	// URL is where checkpoints go; of a witness, its submission prefix.
	URL *url.URL
	// Bearer is a token for the header Authorization; empty: none.
	Bearer secret.Secret
	// Witness says that the server is a witness as of C2SP tlog-witness, which
	// takes a proof that the log continues what it saw last.
	Witness bool
}

// HTTPAnchor sends checkpoints to a server, which takes them with a status 2xx.
// A witness that has seen a log which this one does not continue is ErrFork.
type HTTPAnchor struct {
	cfg HTTPConfig
	// seen is how many batches the witness has seen, as far as is known.
	seen int64
}

// NewHTTPAnchor returns an anchor for a server.
func NewHTTPAnchor(cfg HTTPConfig) *HTTPAnchor {
	cfg.Client = egress.WithoutRedirects(cfg.Client)
	return &HTTPAnchor{cfg: cfg}
}

// Kind is http.
func (a *HTTPAnchor) Kind() string { return "http" }

// Target is the URL without its user and query, which may be secret.
func (a *HTTPAnchor) Target() string {
	return (&url.URL{Scheme: a.cfg.URL.Scheme, Host: a.cfg.URL.Host, Path: a.cfg.URL.Path}).String()
}

// Put posts the checkpoint.
func (a *HTTPAnchor) Put(ctx context.Context, c *Signed, h History) error {
	if a.cfg.Witness {
		return a.witness(ctx, c, h)
	}
	answer, err := a.post(ctx, a.cfg.URL, c.Note)
	if err != nil {
		return err
	}
	return refused(answer)
}

// witness asks the witness to cosign. What it saw last is learned from its
// refusal.
func (a *HTTPAnchor) witness(ctx context.Context, c *Signed, h History) error {
	const what = "the checkpoint that the witness has seen"
	for learned := false; ; learned = true {
		answer, err := a.add(ctx, c, h)
		if err != nil {
			return err
		}
		if answer.Status == http.StatusUnprocessableEntity {
			return forked(what, a.seen)
		}
		if answer.Status != http.StatusConflict {
			if err := refused(answer); err != nil {
				return err
			}
			a.seen = c.Size
			return nil
		}
		switch seen, ok := sizeIn(answer); {
		case ok && seen > c.Size:
			return fmt.Errorf("%w: the witness has seen %d batches, but the log has %d: it was cut, or an old copy was put back", ErrFork, seen, c.Size)
		case ok && seen != a.seen && !learned:
			a.seen = seen
		case a.seen == c.Size:
			return forked(what, a.seen)
		default:
			return refused(answer)
		}
	}
}

// add posts a request add-checkpoint.
func (a *HTTPAnchor) add(ctx context.Context, c *Signed, h History) (*egress.Response, error) {
	proof, err := h.Consistency(ctx, c, a.seen)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	fmt.Fprintf(&body, "old %d\n", a.seen)
	for _, hash := range proof {
		fmt.Fprintln(&body, hash)
	}
	body.WriteByte('\n')
	body.Write(c.Note)
	return a.post(ctx, a.cfg.URL.JoinPath("add-checkpoint"), body.Bytes())
}

func (a *HTTPAnchor) post(ctx context.Context, to *url.URL, body []byte) (*egress.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("post to %s: malformed request", a.Target())
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	if token := a.cfg.Bearer.Reveal(); token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return egress.Exchange(a.cfg.Client, r, maxAnswer)
}

// refused is an error unless the answer is a status 2xx.
func refused(answer *egress.Response) error {
	if answer.Status/100 == 2 {
		return nil
	}
	return fmt.Errorf("the server answered %d %s", answer.Status, http.StatusText(answer.Status))
}

// sizeIn reads the size of the log that a witness has seen.
func sizeIn(answer *egress.Response) (int64, bool) {
	size, err := strconv.ParseInt(strings.TrimSuffix(string(answer.Body), "\n"), 10, 64)
	return size, err == nil && size >= 0
}
