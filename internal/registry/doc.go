// Package registry knows the objects of an installation, such as users, versions
// of workflows and alerts: it keeps the current revision of each in memory, and
// changes them in transactions that are durable, and in the audit log, before
// anybody sees them.
//
// A [Table] holds the objects of one kind as Go values. [Registry.Update] runs
// one transaction after the other; what it puts and records goes into a single
// batch of the store. Reading needs no transaction and sees whole ones only.
//
// The package imports the store's contract only; who commits is handed in.
//
//	users := registry.NewTable[User]("user")
//	r, err := registry.Open(ctx, store, runtime, users)
//	position, err := r.Update(ctx, func(tx *registry.Tx) error {
//		if _, there := users.Get("", "ada"); there {
//			return ErrExists
//		}
//		users.Put(tx, "", "ada", User{Name: "Ada"})
//		tx.Record(store.Entry{Actor: "user/root", Action: "user.create", Object: "user/ada", Outcome: "done"})
//		return nil
//	})
package registry
