// Command regie-kill kills a real server again and again under load, and shows
// that nothing was lost and nothing happened twice (package kill).
//
//	regie-kill -binary bin/regie -kills 30 -runs 1000
package main
