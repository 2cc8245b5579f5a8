//go:build tools

// Package tools pins h2spec and what it needs: tests/h2spec/build makes the program of it.
package tools

import _ "github.com/summerwind/h2spec/cmd/h2spec"
