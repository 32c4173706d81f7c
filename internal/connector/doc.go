// Package connector knows what a connector is: one bounded, typed call to
// something outside (an HTTP request, an SQL statement, a message).
//
// Implementations live below it, one package each, pass the suite
// connectortest and are listed in connector/all. They never import each other,
// nor anything above. A connector that keeps connections open implements
// io.Closer; who made it closes it after its last call.
//
// The package imports pure packages of Regie only.
//
//	func (c *Log) Call(ctx context.Context, call connector.Call) (connector.Result, error) {
//		in, err := connector.Prepare(ctx, c.Describe(), call)
//		if err != nil {
//			return connector.Result{}, err
//		}
//		call.Log(in.Text("message"))
//		return connector.Result{Output: in.Value}, nil
//	}
package connector
