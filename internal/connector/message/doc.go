// Package message knows the connector notify.send and where its messages go:
// the channel types webhook and smtp, and the connection type smtp.
//
// Which channel a message takes is up to the environment: the workflow names
// it, `kind: Channel` says what it is. The package imports connector, egress
// and pure packages; nothing else of Regie.
//
//	send := message.New(message.Config{Dialer: dialer})
//	result, err := send.Call(ctx, connector.Call{
//		Input:   value.MustParse(`{"channel": "ops", "text": "settled"}`),
//		Channel: &connector.Channel{Name: "ops", Type: "webhook", Fields: value.MustParse(`{"url": "https://example.org/hook"}`)}, …
//	})
package message
