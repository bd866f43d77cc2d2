// net/http as it comes: "hello" for everything, and /crash ends the whole program by a panic outside of a handler.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	port := "8080"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) { fmt.Fprint(answer, "hello\n") })
	http.HandleFunc("/crash", func(http.ResponseWriter, *http.Request) { go func() { panic("asked to crash") }() })
	fmt.Println("serving on", port)
	fmt.Println(http.ListenAndServe(":"+port, nil))
	os.Exit(1)
}
