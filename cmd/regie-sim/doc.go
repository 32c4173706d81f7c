// Command regie-sim runs the simulator: Regie's own reactors and engine among
// failing stores, workers and clients, on simulated time. It knows flags and
// exit codes; everything else is in package sim. It imports nothing else of
// Regie.
//
//	regie-sim -seeds 300          runs seeds 1 to 300 and prints one line
//	regie-sim -seed 42            runs one seed again and shows the end of its trace
//	regie-sim -seed 42 -trace     shows all of it
package main
