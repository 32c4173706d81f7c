package cli_test

import (
	"context"
	"encoding/json"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/server/home"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// offered puts a run into the data folder of a server that does not run: held,
// and with a step, ask, that offers the work 7 to an activity and is tried twice.
func offered(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	folder, err := home.Open(ctx, ts.MkAbs(args[0]), home.Owner("test", time.Now()))
	ts.Check(err)
	service := runtime.NewService(runtime.ServiceConfig{Store: folder.Store, Languages: local.Languages(), Tasks: idle{}})
	ts.Check(service.Start(ctx))
	prepared, err := service.Prepare(&workflow.Program{
		Format: workflow.Format, Namespace: "default", Name: "packing",
		Bodies: []workflow.Body{{Nodes: []workflow.Node{{
			ID: "ask", Kind: workflow.KindTask, Retry: []workflow.Retry{{MaxAttempts: workflow.Constant(value.Int(2))}},
			Task: &workflow.Task{Uses: "activity.offer", Finish: workflow.FinishOffer, Heartbeat: workflow.Constant(value.String("1h")), With: &workflow.Data{
				Object: []workflow.DataMember{
					{Key: "activity", Data: *workflow.Constant(value.String(args[1]))}, {Key: "input", Data: *workflow.Constant(value.Int(7))},
				},
			}},
		}}}},
	})
	ts.Check(err)
	_, err = service.Submit(ctx, runtime.Request{Program: prepared, Input: value.Object(), Seed: 11, Actor: "user/admin", Held: true})
	ts.Check(err)
	ts.Check(service.Stop(ctx))
	ts.Check(folder.Close())
}

// idle makes no attempts: runs that are held need none.
type idle struct{}

func (idle) Dispatch(engine.Task)                      {}
func (idle) Reattach(engine.Task)                      {}
func (idle) CancelTask(store.RunID, engine.ActID, int) {}
func (idle) Settled(runtime.Settled)                   {}
func (idle) Recovered()                                {}

// setToken sets a variable to the token in the JSON of standard output.
func setToken(ts *testscript.TestScript, _ bool, args []string) {
	var task struct {
		Token string `json:"token"`
	}
	ts.Check(json.Unmarshal([]byte(ts.Value(stageKey{}).(*stage).stdout), &task))
	ts.Setenv(args[0], task.Token)
}
