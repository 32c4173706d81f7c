package main

import "github.com/regie-dev/regie/command"

// version is stamped by the build: -X main.version=v1.2.3.
var version = "dev"

func main() { command.Main(version) }
