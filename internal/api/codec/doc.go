// Package codec writes and reads the messages of the API, as JSON and in the
// binary form, for connect's handlers and for REST.
//
// The JSON form is that of package protojson, with these rules of Regie's own:
//
//   - Names are those of the definition, in snake_case; lowerCamelCase is read too.
//   - Where a message has a field of type regie.v1.Json, the JSON value itself
//     stands, with its digits and the order of its keys; space between tokens is
//     dropped. A null is a value there; an absent field is an absent value.
//   - 64-bit numbers are written as strings, as protojson does, and read from
//     strings and numbers.
//   - Fields that have no presence are always written, also with their zero
//     value, so that the shape of an answer does not depend on its content.
//   - Unknown fields, duplicate keys, nesting beyond [MaxDepth], text that is
//     not UTF-8, half surrogates and NUL characters are refused.
//
// The binary form is held to the same: unknown fields, NUL characters and a Json
// whose text is not JSON are refused. After reading, the text of every Json is
// valid and compact.
//
//	text, err := codec.Marshal(&regiev1.GetRunResponse{...})
//	err = codec.Unmarshal(text, request)
//
// The two codecs for connect, [JSON] and [Binary], do not return what is wrong
// with a request but leave it in the message, where [Fault] finds it: connect
// would answer on its own otherwise, without a Problem.
//
// It reads no clock and does no IO. Of Regie it imports the generated messages
// only.
package codec
