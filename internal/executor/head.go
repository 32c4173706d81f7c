package executor

import "time"

// Head is what a [Result] says besides output and checkpoint, as it is written
// to files and sent to other processes. Memory is in bytes.
type Head struct {
	ErrorName    string    `json:"error_name,omitempty"`
	ErrorMessage string    `json:"error_message,omitempty"`
	ExitCode     int       `json:"exit_code"`
	Signal       string    `json:"signal,omitempty"`
	Warning      string    `json:"warning,omitempty"`
	StartedAt    time.Time `json:"started_at"`
	EndedAt      time.Time `json:"ended_at"`
	CPUSeconds   float64   `json:"cpu_seconds"`
	PeakMemory   int64     `json:"peak_memory"`
	BytesIn      int64     `json:"bytes_in"`
	BytesOut     int64     `json:"bytes_out"`
	LogBytes     int64     `json:"log_bytes"`
}

// Head is the result without output and checkpoint.
func (r *Result) Head() Head {
	return Head{
		ErrorName: r.ErrorName, ErrorMessage: r.ErrorMessage, ExitCode: r.ExitCode, Signal: r.Signal, Warning: r.Warning,
		StartedAt: r.StartedAt, EndedAt: r.EndedAt,
		CPUSeconds: r.Usage.CPUSeconds, PeakMemory: r.Usage.PeakMemory,
		BytesIn: r.Usage.BytesIn, BytesOut: r.Usage.BytesOut, LogBytes: r.Usage.LogBytes,
	}
}

// Result is a result without output and checkpoint.
func (h *Head) Result() Result {
	return Result{
		ErrorName: h.ErrorName, ErrorMessage: h.ErrorMessage, ExitCode: h.ExitCode, Signal: h.Signal, Warning: h.Warning,
		StartedAt: h.StartedAt, EndedAt: h.EndedAt,
		Usage: Usage{
			CPUSeconds: h.CPUSeconds, PeakMemory: h.PeakMemory,
			BytesIn: h.BytesIn, BytesOut: h.BytesOut, LogBytes: h.LogBytes,
		},
	}
}
