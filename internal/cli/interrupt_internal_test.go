package cli

import (
	"context"
	"errors"
	"testing"
)

// The second Ctrl-C leaves also while what the first one asked for goes on, as
// it does when the disk is full.
func TestLeaveWhileCanceling(t *testing.T) {
	t.Parallel()
	asked, canceling := make(chan struct{}), make(chan struct{})
	ctx, stop := (&interrupts{asked: asked}).during(t.Context(), func(ctx context.Context) {
		close(canceling)
		<-ctx.Done()
	})
	asked <- struct{}{}
	<-canceling
	if ctx.Err() != nil {
		t.Error("the first Ctrl-C leaves already")
	}
	asked <- struct{}{}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, errLeft) {
		t.Errorf("left because of %v", cause)
	}
	stop()
}

// At the end of the run nothing goes on.
func TestCancelEndsWithTheRun(t *testing.T) {
	t.Parallel()
	asked, canceling, ended := make(chan struct{}), make(chan struct{}), false
	_, stop := (&interrupts{asked: asked}).during(t.Context(), func(ctx context.Context) {
		close(canceling)
		<-ctx.Done()
		ended = true
	})
	asked <- struct{}{}
	<-canceling
	stop()
	if !ended {
		t.Error("canceling goes on")
	}
}

// What was asked before the run was there counts: it is canceled as soon as it
// is, and asking again leaves.
func TestInterruptedBefore(t *testing.T) {
	t.Parallel()
	asked, heard, canceling := make(chan struct{}), make(chan struct{}), make(chan struct{})
	i := &interrupts{asked: asked}
	_, stop := i.during(t.Context(), func(context.Context) { close(heard) })
	asked <- struct{}{}
	<-heard
	stop()
	ctx, stop := i.during(t.Context(), func(context.Context) { close(canceling) })
	defer stop()
	<-canceling
	asked <- struct{}{}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, errLeft) {
		t.Errorf("left because of %v", cause)
	}
}
