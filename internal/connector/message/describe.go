package message

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

// Bounds of a message.
const (
	// SendTimeout is how long sending may take in all.
	SendTimeout = 30 * time.Second
	// MaxText is the longest text, in characters; MaxSubject the longest
	// subject.
	MaxText    = 256 << 10
	MaxSubject = 250
	// MaxRecipients is the longest list of addresses of a channel.
	MaxRecipients = 50
	// maxAnswer bounds what a server answers.
	maxAnswer = 1 << 20
)

const (
	startTLS    = "starttls"
	directTLS   = "tls"
	noTLS       = "none"
	defaultPort = 587
)

func kind(k descriptor.Kind) descriptor.Type { return descriptor.Type{Kind: k} }

func severities() []descriptor.EnumValue {
	return []descriptor.EnumValue{
		{Text: "info", Doc: "Somebody may want to know."},
		{Text: "warning", Doc: "Somebody should look."},
		{Text: "error", Doc: "Somebody has to act."},
	}
}

func describe() *connector.Descriptor {
	text := kind(descriptor.String)
	return &connector.Descriptor{
		Name: "notify.send",
		Doc: "Sends a message to a channel, once it was accepted there.\n\n" +
			"Errors: `http.` and the status with webhooks, such as `http.503`; `smtp.` and the reply code with mail, such as `smtp.550`; " +
			"`http.connect`, `smtp.connect`, `smtp.protocol`, `egress_denied`, `timeout`, `invalid_input`.\n\n" +
			"When the connection breaks before the message was accepted, its outcome is unknown and the attempt counts as lost. " +
			"All attempts send the same message ID, so that receivers can drop what they got before.",
		Channel: true,
		Input: &descriptor.Object{
			Name: "notify.send", Doc: "What to send, and where.",
			Fields: []descriptor.Field{
				{Name: "channel", Doc: "The channel.", Type: kind(descriptor.Name), Required: true, Template: true, Example: "ops"},
				{Name: "text", Doc: "The text.", Type: descriptor.Type{Kind: descriptor.String, Max: descriptor.Bound(MaxText)}, Required: true, Template: true, Example: `"Settlement of ${{ run.business_date }}: ${{ run.state }}"`},
				{Name: "subject", Doc: "The subject, in one line; the channel's, or the first line of the text, if it is left out.", Type: descriptor.Type{Kind: descriptor.String, Max: descriptor.Bound(MaxSubject)}, Template: true},
				{Name: "severity", Doc: "How urgent it is.", Type: text, Default: value.String("info"), Enum: severities(), Template: true},
				{Name: "data", Doc: "More about it, for programs that read the message.", Type: kind(descriptor.Any), Template: true, Example: `{total: "${{ steps.settle.output.total }}"}`},
			},
			Example: "uses: notify.send\nwith:\n  channel: ops\n  text: \"Settlement of ${{ run.business_date }}: ${{ run.state }}\"\n",
		},
		Output: &descriptor.Object{
			Name: "notify.send output", Doc: "What was sent.",
			Fields: []descriptor.Field{
				{Name: "channel", Doc: "The channel.", Type: text, Required: true},
				{Name: "message_id", Doc: "The ID under which the message was sent; the same for all attempts.", Type: text, Required: true},
			},
		},
	}
}

// WebhookType describes channels of type webhook.
func WebhookType() connector.ObjectType {
	text := kind(descriptor.String)
	return connector.ObjectType{
		Name: "webhook",
		Object: &descriptor.Object{
			Name: "webhook channel",
			Doc: "Messages are posted as JSON: `{\"text\", \"subject\", \"severity\", \"run\", \"step\", \"attempt\", \"time\", \"data\"}`. " +
				"The headers are those of Standard Webhooks: `webhook-id`, `webhook-timestamp` (seconds) and, with a secret, `webhook-signature`: " +
				"`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. Any answer 2xx accepts the message; redirects are not followed. " +
				"Host and port of the URL may be called for it also where they are private.",
			Fields: []descriptor.Field{
				{Name: "url", Doc: "Where to post.", Type: text, Required: true, Template: true, Secrets: true, Example: `"${{ secrets.OPS_HOOK }}"`},
				{Name: "headers", Doc: "More headers.", Type: descriptor.Type{Kind: descriptor.Map, KeyKind: descriptor.String, Elem: &text}, Template: true, Secrets: true, Example: `{Authorization: "Bearer ${{ secrets.OPS_TOKEN }}"}`},
				{Name: "secret", Doc: "The key to sign with: `whsec_` and base64, or any text of at least 16 characters.", Type: text, Template: true, Secrets: true, Example: `"${{ secrets.OPS_SIGNING }}"`},
				{Name: "payload", Doc: "What the JSON holds.", Type: text, Default: value.String("full"), Enum: []descriptor.EnumValue{
					{Text: "full", Doc: "All fields."},
					{Text: "text", Doc: "Only `text`, as chat services expect it."},
				}},
			},
			Example: "kind: Channel\nname: ops\ntype: webhook\nurl: ${{ secrets.OPS_HOOK }}\nsecret: ${{ secrets.OPS_SIGNING }}\n",
		},
		Hosts: func(fields value.Value) ([]string, error) {
			u, err := hookURL(connector.Input{Value: fields})
			if err != nil {
				return nil, err
			}
			place, err := egress.PlaceOf(u)
			if err != nil {
				return nil, err
			}
			return []string{place.String()}, nil
		},
	}
}

func hookURL(in connector.Input) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(in.Text("url")))
	if err != nil {
		return nil, &egress.URLError{Reason: "the URL cannot be read"} // the parser's message quotes it
	}
	if err := egress.CheckURL(u); err != nil {
		return nil, err
	}
	if u.User != nil {
		return nil, &egress.URLError{Reason: "user and password in the URL are not supported; use headers"}
	}
	u.Fragment = ""
	return u, nil
}

// MailType describes channels of type smtp.
func MailType() connector.ObjectType {
	text := kind(descriptor.String)
	return connector.ObjectType{
		Name: "smtp",
		Object: &descriptor.Object{
			Name: "smtp channel", Doc: "Messages are sent as mail in plain text.",
			Fields: []descriptor.Field{
				{Name: "connection", Doc: "The connection of type `smtp`.", Type: kind(descriptor.Name), Required: true, Example: "mail"},
				{Name: "from", Doc: "The sender.", Type: text, Required: true, Template: true, Example: `"Regie <regie@example.org>"`},
				{Name: "to", Doc: "The recipients, at most 50.", Type: descriptor.Type{Kind: descriptor.OneOf, Options: []descriptor.Type{
					text, {Kind: descriptor.List, Elem: &text, Min: descriptor.Bound(1), Max: descriptor.Bound(MaxRecipients)},
				}}, Required: true, Template: true, Example: "[ops@example.org]"},
				{Name: "subject", Doc: "The subject of messages that have none.", Type: descriptor.Type{Kind: descriptor.String, Max: descriptor.Bound(MaxSubject)}, Template: true},
			},
			Example: "kind: Channel\nname: ops\ntype: smtp\nconnection: mail\nfrom: Regie <regie@example.org>\nto: [ops@example.org]\n",
		},
		Connections: []string{"smtp"},
	}
}

// SMTPType describes connections of type smtp.
func SMTPType() connector.ObjectType {
	text := kind(descriptor.String)
	return connector.ObjectType{
		Name: "smtp",
		Object: &descriptor.Object{
			Name: "smtp connection", Doc: "A mail server. Its host and port may be called through it also where they are private.",
			Fields: []descriptor.Field{
				{Name: "host", Doc: "Host name or address.", Type: text, Required: true, Template: true, Example: "mail.example.org"},
				{Name: "port", Doc: "The port.", Type: descriptor.Type{Kind: descriptor.Integer, Min: descriptor.Bound(1), Max: descriptor.Bound(65535)}, Default: value.Int(defaultPort), Template: true},
				{Name: "tls", Doc: "Encryption.", Type: text, Default: value.String(startTLS), Enum: []descriptor.EnumValue{
					{Text: startTLS, Doc: "Begun after the greeting; a server that does not offer it is refused."},
					{Text: directTLS, Doc: "From the first byte, as usual on port 465."},
					{Text: noTLS, Doc: "None, for relays on a trusted network; then without user and password."},
				}},
				{Name: "user", Doc: "The user.", Type: text, Template: true, Secrets: true},
				{Name: "password", Doc: "The password.", Type: text, Template: true, Secrets: true, Example: `"${{ secrets.MAIL_PASSWORD }}"`},
				{Name: "ca", Doc: "Certificates (PEM) of the authorities that the server's certificate must come from, instead of the system's.", Type: text, Template: true, Secrets: true},
				{Name: "hello", Doc: "The name with which Regie introduces itself.", Type: text, Default: value.String("localhost")},
			},
			Example: "kind: Connection\nname: mail\ntype: smtp\nhost: mail.example.org\nuser: regie\npassword: ${{ secrets.MAIL_PASSWORD }}\n",
		},
		Hosts: func(fields value.Value) ([]string, error) {
			place, err := serverPlace(connector.Input{Value: fields})
			if err != nil {
				return nil, err
			}
			return []string{place.String()}, nil
		},
	}
}

func serverPlace(in connector.Input) (egress.HostPort, error) {
	port := in.Int("port")
	if port == 0 {
		port = defaultPort
	}
	return egress.ParseHostPort(net.JoinHostPort(in.Text("host"), strconv.FormatInt(port, 10)))
}
