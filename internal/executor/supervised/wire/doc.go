// Package wire knows how a Regie and the supervisor of its tasks speak with each
// other: frames, messages, versions, and who is at the other end of a socket.
//
// It imports executor and value, and knows nothing of processes and folders.
//
// # Frames
//
// All numbers are little-endian. A frame is
//
//	0  4  length n of the payload, at most [MaxFrame]
//	4  1  kind: 1 message, 2 output
//	5  n  payload
//
// The payload of a message is a header, one JSON object, and attachments:
//
//	0    4  length h of the header
//	4    h  header
//	4+h     attachments until the end, at most [MaxAttachments]: each its length
//	        in 4 bytes and its bytes
//
// The payload of output is a piece of a log in the format of package tasklog.
//
// # Conversation
//
// The caller's first message is [Hello], which is answered by [Welcome] or by an
// error. Then each [Request] is answered by one [Response]; start and wait first
// by "started" or nothing, then by output as it comes, and last by the result or
// an error. A caller that does not want to know any more closes the connection,
// which ends nothing.
//
// # Versions
//
// Each side speaks the versions from [Oldest] to [Version], and the highest that
// both speak is used. A change that the other side may overlook (a new optional
// field, a new operation) keeps the number; any other raises Version, and Oldest
// stays as long as supervisors of that age may be running.
package wire
