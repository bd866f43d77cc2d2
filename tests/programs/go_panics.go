// Panics in the way that the first argument names; with a second one the program is killed in a deferred function, while
// the panic's value is still what the program gave.
package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"
)

type code int
type word string
type impedance complex64
type point struct{ x, y int }

func main() {
	if len(os.Args) > 2 {
		defer func() {
			syscall.Kill(syscall.Getpid(), syscall.SIGABRT)
			select {}
		}()
	}
	values := []int{1, 2, 3}
	number := len(os.Args) + 10
	var anything any = number
	switch os.Args[1] {
	case "index":
		fmt.Println(values[number-len(os.Args)])
	case "below":
		fmt.Println(values[len(os.Args)-number])
	case "slice":
		fmt.Println(values[number-len(os.Args)-8 : 1])
	case "length":
		fmt.Println("text"[:number-len(os.Args)])
	case "capacity":
		fmt.Println(values[:number-len(os.Args)])
	case "nil":
		var none *point
		fmt.Println(none.y)
	case "conversion":
		fmt.Println(anything.(string))
	case "method":
		fmt.Println(anything.(fmt.Stringer))
	case "nothing":
		anything = nil
		fmt.Println(anything.(string))
	case "error":
		panic(errors.New("no route to host"))
	case "wrapped":
		panic(fmt.Errorf("cannot serve: %w", errors.New("no route to host")))
	case "text":
		panic("plain text")
	case "word":
		panic(word("text"))
	case "code":
		panic(code(-17))
	case "number":
		panic(uint8(200))
	case "float":
		panic(-1234.5)
	case "single":
		panic(float32(0.1))
	case "million":
		panic(1e6)
	case "tiny":
		panic(0.00001)
	case "infinite":
		panic(math.Inf(-1))
	case "complex":
		panic(complex(-1.5, 2))
	case "impedance":
		panic(impedance(complex(1, -0.25)))
	case "array":
		fmt.Println((*[4]int)(values[:number-len(os.Args)-7]))
	case "truth":
		panic(true)
	case "struct":
		panic(point{1, 2})
	case "pointer":
		panic(&point{1, 2})
	}
}
