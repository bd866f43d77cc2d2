// net/http as it comes: "hello" for everything, and /crash ends the whole program before anybody else is answered.
package main

import (
	"fmt"
	"net/http"
	"os"
	"syscall"
)

func main() {
	port := "8080"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) { fmt.Fprint(answer, "hello\n") })
	http.HandleFunc("/crash", func(http.ResponseWriter, *http.Request) {
		syscall.Kill(syscall.Getpid(), syscall.SIGABRT) // the runtime ends the program in its signal handler
		select {}
	})
	fmt.Println("serving on", port)
	fmt.Println(http.ListenAndServe(":"+port, nil))
	os.Exit(1)
}
