// Package secret knows secret texts: a handle that cannot be printed by
// accident, where secrets come from (environment, files) and how they are
// masked in everything that a task prints or returns.
//
// Masking replaces a secret and its usual encodings (see [Encodings]) by ***,
// also when it arrives in pieces. What it cannot recognise stays readable: a
// secret that is reversed, compressed, encrypted, wrapped over several lines
// by an encoder or printed one character at a time. Masking is a net under
// those who work with care, not a wall against those who want to read.
//
// The package imports pure packages of Regie only.
//
//	env := secret.Env(os.LookupEnv, secret.EnvPrefix)
//	token, err := env.Lookup("TOKEN")
//	masker, warnings := secret.NewMasker(secret.Named{Name: "TOKEN", Secret: token})
//	out := masker.Writer(os.Stdout)
//	defer out.Flush()
package secret
