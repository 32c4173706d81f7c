// Package tasklog knows the log of one attempt on disk: how it is written,
// read, followed and shown.
//
// It imports executor for its chunks of output, and nothing else of Regie.
// Secrets are masked by whoever writes. The file should not lie where the task
// can write.
//
//	w, err := tasklog.Open(root, "log")
//	err = w.Write(executor.Chunk{At: now, Stream: executor.Stdout, Data: data})
//	err = w.Close()
//
//	for line, err := range tasklog.Lines(file) {
//		out = tasklog.Style{Colour: true}.Append(out, line)
//	}
//
// # Format
//
// All numbers are little-endian. The file begins with 8 bytes:
//
//	0  4  "RGLG"
//	4  4  format, 1
//
// Then come records:
//
//	 0  4  length n of the data, at most 65536
//	 4  8  time, nanoseconds since 1970 UTC, signed
//	12  1  stream: 1 stdout, 2 stderr, 3 lines of Regie; 0 with n = 0 says that
//	       the writer was closed
//	13  3  lowest 24 bits of the CRC-32C (Castagnoli) of bytes 0 to 12
//	16  4  CRC-32C of bytes 0 to 15 and the data
//	20  n  data
//
// Data may begin and end in the middle of a line or character. More records
// may follow one of stream 0: an attempt that was found again goes on.
//
// A crash can cut the last record, or leave zeros instead of its end. Such a
// torn record is short, or does not match its checksum, and is followed by
// nothing but zeros, with which its own data end too. Readers end before it,
// and the next writer takes it away. Any other mismatch is damage, which
// readers report.
//
// # Lines
//
// A line ends with a line feed; a carriage return before it is dropped. The
// streams are independent: each has its own beginning of a line. Lines come in
// the order of their ends, and longer ones than [MaxLine] in parts.
package tasklog
