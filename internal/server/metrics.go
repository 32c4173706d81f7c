package server

import (
	"net/http"

	"github.com/regie-dev/regie/internal/api/transport"
)

type tmpMetrics struct{}

func (tmpMetrics) observe(transport.Observation) {}
func (tmpMetrics) handler() http.Handler          { return http.NotFoundHandler() }
