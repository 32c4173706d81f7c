// Command thumbnails is a worker: a program of your own that does work of steps.
// It makes thumbnails of pictures, and imports nothing of Regie but the package
// worker. README.md says how to start it.
//
//	REGIE_SERVER=https://regie.example.com:7373 REGIE_TOKEN=... go run ./examples/thumbnails
package main
