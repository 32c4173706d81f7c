// Package folder keeps blobs as files of a folder, most often data/blobs.
//
//	RUN/SHA256   a blob of a run
//	.tmp/        what is being written; emptied by Open
//
// A blob is written to .tmp, synced, and renamed; then the folder of the run is
// synced. It imports blob and datadir.
package folder
