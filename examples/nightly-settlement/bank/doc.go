// Command bank plays the bank of the example nightly-settlement: a small HTTP
// server with deterministic troubles. It imports the standard library only.
//
//	POST /batches           takes a batch of payments; the first calls of each
//	                        batch and date are answered with 503 and Retry-After,
//	                        the batch "west" is refused with 422, always
//	GET  /batches/ID/advice a note on a batch; never there for "south"
//	GET  /statement?date=D  what was taken on that date
//	POST /messages          takes a message of a webhook
//	GET  /messages          lists them
//
// Whoever asks must know the token in the environment variable BANK_TOKEN, if
// there is one. A batch is told apart by the header Idempotency-Key: the same key again gets
// the same answer and moves no money twice.
package main
