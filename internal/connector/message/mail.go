package message

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/egress"
)

// envelope is a mail and who it is for.
type envelope struct {
	from string
	to   []string
	body []byte
}

// mail sends the message by mail and returns the bytes sent.
func (m *Message) mail(ctx context.Context, n note) (int64, error) {
	in, err := n.fields(MailType())
	if err != nil {
		return 0, err
	}
	c := n.call.Channel.Connection
	if c == nil || c.Type != "smtp" {
		return 0, n.invalid("connection: want a connection of type smtp")
	}
	server, err := c.Connect(SMTPType())
	if err != nil {
		return 0, err
	}
	if server.Text("tls") == noTLS && server.Text("user") != "" {
		return 0, n.invalid("connection %s: without encryption no password is sent; use tls: starttls or tls", c.Name)
	}
	if h := server.Text("hello"); strings.ContainsAny(h, "\r\n \x00") || h == "" {
		return 0, n.invalid("connection %s: hello: want a host name", c.Name)
	}
	e, err := n.compose(in)
	if err != nil {
		return 0, err
	}
	dialer, err := m.allow(n, slices.Concat(n.call.Channel.AllowHosts, c.AllowHosts))
	if err != nil {
		return 0, err
	}
	s := &submission{server: server, name: c.Name}
	if err := s.send(ctx, dialer, e); err != nil {
		return 0, s.fail(ctx, err)
	}
	return int64(len(e.body)), nil
}

// compose writes the mail. Addresses and subject cannot begin headers of their
// own: line ends in them are refused or encoded.
func (n *note) compose(in connector.Input) (envelope, error) {
	from, err := mail.ParseAddress(in.Text("from"))
	if err != nil {
		return envelope{}, n.invalid("from: %q is not an address", in.Text("from"))
	}
	e := envelope{from: from.Address}
	var to []string
	for _, text := range in.Texts("to") {
		addr, err := mail.ParseAddress(text)
		if err != nil {
			return envelope{}, n.invalid("to: %q is not an address", text)
		}
		e.to = append(e.to, addr.Address)
		to = append(to, addr.String())
	}
	subject := n.title(in.Text("subject"))
	if strings.ContainsAny(subject, "\r\n\x00") {
		return envelope{}, n.invalid("subject: want one line")
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	var b bytes.Buffer
	for _, h := range [][2]string{
		{"From", from.String()},
		{"To", strings.Join(to, ",\r\n ")},
		{"Subject", mime.QEncoding.Encode("utf-8", subject)},
		{"Date", n.now.Format(time.RFC1123Z)},
		{"Message-ID", "<" + n.id + "@" + domain + ">"},
		{"Auto-Submitted", "auto-generated"},
		{"X-Regie-Run", oneLine(n.call.RunID)},
		{"X-Regie-Step", oneLine(n.call.Step)},
		{"X-Regie-Severity", n.severity},
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
	} {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("\r\n")
	text := n.text
	if !n.data.IsNull() {
		text = strings.TrimRight(text, "\n") + "\n\n" + n.data.Indent() + "\n"
	}
	w := quotedprintable.NewWriter(&b)
	_, _ = io.WriteString(w, text) // a bytes.Buffer takes everything
	_ = w.Close()
	e.body = b.Bytes()
	return e, nil
}

func oneLine(s string) string {
	return mime.QEncoding.Encode("utf-8", strings.Join(strings.Fields(s), " "))
}

// submission is one mail handed to a server.
type submission struct {
	server connector.Input
	name   string
	// connected says that the server has greeted, handed that the whole mail
	// was sent and only its acceptance is missing.
	connected, handed bool
}

func (s *submission) tls() (*tls.Config, error) {
	config := &tls.Config{ServerName: s.server.Text("host"), MinVersion: tls.VersionTLS12}
	if ca := s.server.Text("ca"); ca != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(ca)) {
			return nil, connector.Errorf(connector.InvalidConnection, "connection %s: ca holds no certificate in PEM form", s.name)
		}
	}
	return config, nil
}

// send speaks SMTP (RFC 5321) until the server has accepted the mail.
func (s *submission) send(ctx context.Context, dialer *egress.Dialer, e envelope) error {
	place, err := serverPlace(s.server)
	if err != nil {
		return connector.Errorf(connector.InvalidConnection, "connection %s: %v", s.name, err)
	}
	config, err := s.tls()
	if err != nil {
		return err
	}
	conn, err := dialer.DialContext(ctx, "tcp", place.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	var wire net.Conn = &limitedConn{Conn: conn, left: maxAnswer}
	if s.server.Text("tls") == directTLS {
		wire = tls.Client(wire, config)
	}
	client, err := smtp.NewClient(wire, s.server.Text("host"))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Hello(s.server.Text("hello")); err != nil {
		return err
	}
	if s.server.Text("tls") == startTLS {
		if ok, _ := client.Extension("STARTTLS"); !ok {
			return errors.New("the server offers no encryption (STARTTLS)")
		}
		if err := client.StartTLS(config); err != nil {
			return err
		}
	}
	s.connected = true
	if err := s.login(client); err != nil {
		return err
	}
	return s.submit(client, e)
}

func (s *submission) login(client *smtp.Client) error {
	user := s.server.Text("user")
	if user == "" {
		return nil
	}
	_, ways := client.Extension("AUTH")
	if slices.Contains(strings.Fields(ways), "PLAIN") {
		return client.Auth(smtp.PlainAuth("", user, s.server.Text("password"), s.server.Text("host")))
	}
	if slices.Contains(strings.Fields(ways), "LOGIN") {
		return client.Auth(&loginAuth{user, s.server.Text("password")})
	}
	return errors.New("the server offers neither AUTH PLAIN nor AUTH LOGIN")
}

func (s *submission) submit(client *smtp.Client, e envelope) error {
	if err := client.Mail(e.from); err != nil {
		return err
	}
	for _, to := range e.to {
		if err := client.Rcpt(to); err != nil {
			return err
		}
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(e.body); err != nil {
		return err // without its end the server drops the mail
	}
	s.handed = true
	if err := w.Close(); err != nil {
		return err
	}
	_ = client.Quit() // the mail is accepted, whatever comes now
	return nil
}

// fail turns an error into the step's.
func (s *submission) fail(ctx context.Context, err error) *connector.Error {
	var own *connector.Error
	var denied *egress.DeniedError
	var reply *textproto.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &denied):
		return connector.Errorf(egress.ErrorName, "%v", denied)
	case errors.As(err, &reply):
		return connector.Errorf(fmt.Sprintf("smtp.%d", reply.Code), "connection %s: the server answered %d %s", s.name, reply.Code, reply.Msg)
	}
	e := connector.FromContext(ctx)
	switch {
	case e != nil:
	case s.connected:
		e = connector.Errorf("smtp.protocol", "connection %s: %v", s.name, err)
	default:
		e = connector.Errorf("smtp.connect", "connection %s: %v", s.name, err)
	}
	e.Unknown = s.handed
	return e
}

// loginAuth is AUTH LOGIN, which servers offer that have no PLAIN. It is used
// on encrypted connections only.
type loginAuth struct{ user, password string }

// Start begins the exchange.
func (a *loginAuth) Start(server *smtp.ServerInfo) (method string, first []byte, err error) {
	if !server.TLS {
		return "", nil, errors.New("without encryption no password is sent")
	}
	return "LOGIN", nil, nil
}

// Next answers the server's questions for user and password.
func (a *loginAuth) Next(question []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	q := strings.ToLower(string(question))
	switch {
	case strings.Contains(q, "user"):
		return []byte(a.user), nil
	case strings.Contains(q, "pass"):
		return []byte(a.password), nil
	}
	return nil, errors.New("the server asks for neither user nor password")
}

// limitedConn stops a server that never ends its answer.
type limitedConn struct {
	net.Conn
	left int64
}

// Read reads until the limit is used up.
func (c *limitedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("the server sent more than %d bytes", maxAnswer)
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}
