package message_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/message"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

// mailServer is an SMTP server as far as a client needs one.
type mailServer struct {
	cert   tls.Certificate
	direct bool   // TLS from the first byte
	plain  bool   // offers no STARTTLS
	auth   string // ways to log in, "" for none
	reject string // "COMMAND reply": its answer to a command, "" for none
	drop   string // the command at which it closes the connection

	port int
	mu   sync.Mutex
	log  []string // commands, with what was sent after DATA
}

func (s *mailServer) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.log...)
}

// certificate returns one for 127.0.0.1, and its authority as PEM.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return s.TLS.Certificates[0], string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func (s *mailServer) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
				s.serve(conn)
			})
		}
	})
}

func (s *mailServer) serve(conn net.Conn) {
	secure := s.direct
	if s.direct {
		conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{s.cert}})
	}
	in := bufio.NewReader(conn)
	say := func(text string) { _, _ = io.WriteString(conn, text+"\r\n") }
	say("220 mail.example.org ready")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.mu.Lock()
		s.log = append(s.log, line)
		s.mu.Unlock()
		word, _, _ := strings.Cut(strings.ToUpper(line), " ")
		if word == s.drop {
			return
		}
		if command, reply, ok := strings.Cut(s.reject, " "); ok && command == word {
			say(reply)
			continue
		}
		switch word {
		case "EHLO":
			ways := "250-mail.example.org\r\n"
			if !s.plain && !secure {
				ways += "250-STARTTLS\r\n"
			}
			if s.auth != "" && secure {
				ways += "250-AUTH " + s.auth + "\r\n"
			}
			say(ways + "250 8BITMIME")
		case "STARTTLS":
			say("220 go ahead")
			conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{s.cert}})
			in, secure = bufio.NewReader(conn), true
		case "AUTH":
			if strings.HasPrefix(line, "AUTH LOGIN") {
				for _, question := range []string{"Username:", "Password:"} {
					say("334 " + base64.StdEncoding.EncodeToString([]byte(question)))
					answer, _ := in.ReadString('\n')
					s.mu.Lock()
					s.log = append(s.log, strings.TrimSpace(answer))
					s.mu.Unlock()
				}
			}
			say("235 welcome")
		case "DATA":
			say("354 go on")
			var data strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				data.WriteString(strings.TrimPrefix(line, "."))
			}
			s.mu.Lock()
			s.log = append(s.log, data.String())
			s.mu.Unlock()
			if s.drop == "END" {
				return
			}
			if command, reply, ok := strings.Cut(s.reject, " "); ok && command == "END" {
				say(reply)
				continue
			}
			say("250 accepted")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

// mailChannel returns a channel and its connection to the server.
func mailChannel(t *testing.T, s *mailServer, connection, channel string) *connector.Channel {
	t.Helper()
	fields := value.MustParse(fmt.Sprintf(`{"host": "127.0.0.1", "port": %d}`, s.port))
	for _, m := range value.MustParse(connection).Members() {
		fields = fields.With(m.Key, m.Value)
	}
	hosts, err := message.SMTPType().Hosts(fields)
	if err != nil {
		t.Fatal(err)
	}
	own := value.MustParse(`{"connection": "mail", "from": "Regie <regie@example.org>", "to": ["ops@example.org", "Bo Öl <bo@example.org>"]}`)
	for _, m := range value.MustParse(channel).Members() {
		own = own.With(m.Key, m.Value)
	}
	return &connector.Channel{Name: "ops", Type: "smtp", Fields: own, Connection: &connector.Connection{
		Name: "mail", Type: "smtp", Fields: fields, AllowHosts: hosts,
	}}
}

func TestMail(t *testing.T) {
	t.Parallel()
	cert, ca := certificate(t)
	withCA := value.Object(value.M("ca", value.String(ca)))
	login := withCA.With("user", value.String("u")).With("password", value.String("p w"))
	plain := base64.StdEncoding.EncodeToString([]byte("\x00u\x00p w"))
	for name, c := range map[string]struct {
		server     *mailServer
		connection value.Value
		want       []string // commands before MAIL
	}{
		"STARTTLS":         {&mailServer{}, withCA, []string{"EHLO localhost", "STARTTLS", "EHLO localhost"}},
		"direct TLS":       {&mailServer{direct: true}, withCA.With("tls", value.String("tls")), []string{"EHLO localhost"}},
		"relay without":    {&mailServer{plain: true}, value.MustParse(`{"tls": "none", "hello": "regie.example.org"}`), []string{"EHLO regie.example.org"}},
		"STARTTLS, PLAIN":  {&mailServer{auth: "LOGIN PLAIN"}, login, []string{"EHLO localhost", "STARTTLS", "EHLO localhost", "AUTH PLAIN " + plain}},
		"direct TLS,LOGIN": {&mailServer{direct: true, auth: "LOGIN XOAUTH2"}, login.With("tls", value.String("tls")), []string{"EHLO localhost", "AUTH LOGIN", "dQ==", "cCB3"}},
	} {
		c.server.cert = cert
		c.server.start(t)
		input := `{"channel": "ops", "text": "Línea\n.dot\n` + strings.Repeat("long ", 40) + `", "data": {"total": 1}}`
		result, err := newMessage().Call(t.Context(), call(t, input, mailChannel(t, c.server, c.connection.String(), `{}`)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		log := c.server.lines()
		want := append(c.want, "MAIL FROM:<regie@example.org> BODY=8BITMIME", "RCPT TO:<ops@example.org>", "RCPT TO:<bo@example.org>", "DATA")
		if len(log) < len(want)+1 || strings.Join(log[:len(want)], "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: commands\n%s", name, strings.Join(log, "\n"))
			continue
		}
		if n := int64(len(log[len(want)])); result.BytesOut < n-10 || result.BytesOut > n {
			t.Errorf("%s: %d bytes out, the server got %d", name, result.BytesOut, n)
		}
		checkMail(t, name, log[len(want)])
	}
}

func checkMail(t *testing.T, name, text string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, text)
		return
	}
	subject, _ := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	to, err := m.Header.AddressList("To")
	if err != nil || len(to) != 2 || to[1].Name != "Bo Öl" || subject != "Línea" {
		t.Errorf("%s: to %v, %v, subject %q", name, to, err, subject)
	}
	if id := m.Header.Get("Message-Id"); !strings.HasPrefix(id, "<msg_") || !strings.HasSuffix(id, "@example.org>") {
		t.Errorf("%s: message ID %q", name, id)
	}
	if m.Header.Get("X-Regie-Run") != "r-1" || m.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("%s: header %v", name, m.Header)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	want := "Línea\r\n.dot\r\n" + strings.Repeat("long ", 40) + "\r\n\r\n{\r\n  \"total\": 1\r\n}\r\n"
	if err != nil || string(body) != want {
		t.Errorf("%s: body %q, %v", name, body, err)
	}
	for line := range strings.Lines(text) {
		if len(line) > 998 {
			t.Errorf("%s: a line has %d characters", name, len(line))
		}
	}
}

func TestMailErrors(t *testing.T) {
	t.Parallel()
	cert, ca := certificate(t)
	trusted := value.Object(value.M("ca", value.String(ca))).String()
	login := value.Object(value.M("ca", value.String(ca)), value.M("user", value.String("u")), value.M("password", value.String("hunter2"))).String()
	for name, c := range map[string]struct {
		server              *mailServer
		connection, channel string
		want, text          string
		unknown             bool
	}{
		"unknown authority":     {&mailServer{}, `{}`, `{}`, "smtp.connect", "certificate", false},
		"no STARTTLS":           {&mailServer{plain: true}, trusted, `{}`, "smtp.connect", "no encryption", false},
		"no way to log in":      {&mailServer{auth: "CRAM-MD5"}, login, `{}`, "smtp.protocol", "neither AUTH PLAIN", false},
		"wrong password":        {&mailServer{auth: "PLAIN", reject: "AUTH 535 no"}, login, `{}`, "smtp.535", "no", false},
		"unknown recipient":     {&mailServer{reject: "RCPT 550 no such user"}, trusted, `{}`, "smtp.550", "no such user", false},
		"rejected at the end":   {&mailServer{reject: "END 554 spam"}, trusted, `{}`, "smtp.554", "spam", false},
		"try later":             {&mailServer{reject: "MAIL 451 later"}, trusted, `{}`, "smtp.451", "later", false},
		"closed at DATA":        {&mailServer{drop: "DATA"}, trusted, `{}`, "smtp.protocol", "connection mail", false},
		"closed at the end":     {&mailServer{drop: "END"}, trusted, `{}`, "smtp.protocol", "connection mail", true},
		"closed at QUIT":        {&mailServer{drop: "QUIT"}, trusted, `{}`, "", "", false},
		"password in the clear": {&mailServer{}, `{"tls": "none", "user": "u", "password": "hunter2"}`, `{}`, connector.InvalidConnection, "without encryption", false},
		"no CA":                 {&mailServer{}, `{"ca": "hunter2"}`, `{}`, connector.InvalidConnection, "no certificate", false},
		"hello of two lines":    {&mailServer{}, `{"hello": "a\r\nRSET"}`, `{}`, connector.InvalidConnection, "hello", false},
		"from of two lines":     {&mailServer{}, trusted, `{"from": "a@example.org\r\nBcc: evil@example.org"}`, connector.InvalidConnection, "from", false},
		"name of two lines":     {&mailServer{}, trusted, `{"from": "\"a\r\nBcc: x@y\" <a@example.org>"}`, connector.InvalidConnection, "from", false},
		"to of two lines":       {&mailServer{}, trusted, `{"to": ["a@example.org>\r\nDATA"]}`, connector.InvalidConnection, "to", false},
		"no address":            {&mailServer{}, trusted, `{"to": "ops"}`, connector.InvalidConnection, "to", false},
		"subject of two lines":  {&mailServer{}, trusted, `{"subject": "a\r\nBcc: x@y"}`, connector.InvalidConnection, "subject", false},
		"no recipients":         {&mailServer{}, trusted, `{"to": []}`, connector.InvalidConnection, "to", false},
	} {
		c.server.cert = cert
		c.server.start(t)
		channel := mailChannel(t, c.server, c.connection, c.channel)
		_, err := newMessage().Call(t.Context(), call(t, `{"channel": "ops", "text": "x"}`, channel))
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		wantError(t, name, err, c.want, c.text)
		if e := coded(err); e.Unknown != c.unknown {
			t.Errorf("%s: unknown %v", name, e.Unknown)
		}
		for _, line := range c.server.lines() {
			if strings.Contains(line, "Bcc: ") || line == "RSET" {
				t.Errorf("%s: the server got %q", name, line)
			}
		}
	}
	s := &mailServer{cert: cert}
	s.start(t)
	channel := mailChannel(t, s, trusted, `{}`)
	channel.Connection.AllowHosts = nil
	_, err := newMessage().Call(t.Context(), call(t, `{"channel": "ops", "text": "x"}`, channel))
	wantError(t, "not allowed", err, egress.ErrorName, "--allow-host")
	channel.Connection = nil
	_, err = newMessage().Call(t.Context(), call(t, `{"channel": "ops", "text": "x"}`, channel))
	wantError(t, "no connection", err, connector.InvalidConnection, "want a connection of type smtp")
}

// A server that never ends its greeting is cut off.
func TestMailEndlessGreeting(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for {
			if _, err := io.WriteString(conn, "220-more to come\r\n"); err != nil {
				return
			}
		}
	}()
	s := &mailServer{port: l.Addr().(*net.TCPAddr).Port}
	_, err = newMessage().Call(t.Context(), call(t, `{"channel": "ops", "text": "x"}`, mailChannel(t, s, `{"tls": "none"}`, `{}`)))
	wantError(t, "endless", err, "smtp.connect", "more than")
}
