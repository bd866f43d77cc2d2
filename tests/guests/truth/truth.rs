// A chain of frames with known values (the comments `known:`, as in truth.h; d is the frame's number); the last aborts.
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

// The compiler does not know that it does nothing (std::hint has one since Rust 1.66).
#[inline(never)]
fn black_box<T>(value: T) -> T {
    unsafe {
        let copy = std::ptr::read_volatile(&value);
        std::mem::forget(value);
        copy
    }
}

#[derive(Debug, Clone)]
pub enum Shape {
    Empty,
    Circle(f64),
    Rectangle { width: i32, height: i32 },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Colour {
    Red = 1,
    Green = 7,
}

pub struct Point {
    x: i16,
    y: i16,
}

static COUNTER: i32 = 4242; // global: truth::COUNTER = 4242

#[inline(never)]
fn scalars(depth: u32) -> u64 {
    let byte: u8 = 200 + (depth % 50) as u8; // known: byte = 200 + d % 50
    let negative: i8 = -(depth as i8); // known: negative = -d
    let small: i16 = -30000 + depth as i16; // known: small = -30000 + d
    let number: i32 = -2000000000 + depth as i32; // known: number = -2000000000 + d
    let large: i64 = -9000000000000000000 + depth as i64; // known: large = -9000000000000000000 + d
    let unsigned: u64 = 18000000000000000000 + depth as u64; // known: unsigned = 18000000000000000000 + d
    let truth = depth % 2 == 1; // known: truth = d % 2 == 1
    let single = 0.5f32 + depth as f32; // known: single = 0.5 + d
    let double = depth as f64 * -1e100; // known: double = d * -1e100
    let colour = if depth % 2 == 0 { Colour::Red } else { Colour::Green }; // known: colour = "Red" if d % 2 == 0 else "Green"
    let tuple = (depth, 'x', 2.5f64);
    let wide: i128 = -(1i128 << 100) - depth as i128; // known: wide = -(1 << 100) - d
    let unit = (); // known: unit = "()"
    black_box((&wide, &unit));
    black_box((&byte, &negative, &small, &number, &large, &unsigned, &truth, &single, &double, &colour, &tuple));
    let result = strings(depth + 1);
    black_box((byte, negative, small, number, large, unsigned, truth, single, double, colour, tuple));
    black_box((&wide, &unit));
    result + COUNTER as u64
}

#[inline(never)]
fn strings(depth: u32) -> u64 {
    let text = "a text"; // known: text = "a text"
    let owned = format!("owned {}", depth); // known: owned = "owned %d" % d
    let empty = String::new(); // known: empty = ""
    let words = vec![String::from("one"), String::from("two")]; // known: words = ["one", "two"]
    let numbers: Vec<i32> = vec![depth as i32, 2, 3]; // known: numbers = [d, 2, 3]
    let slice: &[i32] = &numbers[1..]; // known: slice = [2, 3]
    let array = [depth; 3]; // known: array = [d, d, d]
    let shared: Rc<str> = "shared".into(); // known: shared = "shared"
    let parts: Arc<[u16]> = vec![depth as u16, 8].into(); // known: parts = [d, 8]
    black_box((&shared, &parts));
    let queue: VecDeque<u16> = vec![5u16, 6, 7].into_iter().collect(); // known: queue = [5, 6, 7]
    black_box((&text, &owned, &empty, &words, &numbers, &slice, &array, &queue));
    let result = choices(depth + 1);
    black_box((&shared, &parts));
    black_box((&text, &owned, &empty, &words, &numbers, &slice, &array, &queue));
    result
}

#[inline(never)]
fn choices(depth: u32) -> u64 {
    let some: Option<u32> = Some(depth); // known: some = d
    let none: Option<u32> = None; // known: none = "None"
    let good: Result<i32, String> = Ok(depth as i32); // known: good = d
    let bad: Result<i32, String> = Err(String::from("no")); // known: bad = "no"
    let circle = Shape::Circle(depth as f64 + 0.5); // known: circle = d + 0.5
    let rectangle = Shape::Rectangle { width: depth as i32, height: -1 };
    let nothing = Shape::Empty; // known: nothing = "Empty"
    let boxed = Box::new(Point { x: depth as i16, y: -5 }); // known: boxed.x = d
    let counted = Rc::new(depth as i64 * 2); // known: counted = 2 * d
    let shared = Arc::new(String::from("shared")); // known: shared = "shared"
    let reference: Option<&Point> = Some(&boxed);
    let mut ages: HashMap<String, u32> = HashMap::new(); // known: ages = {'"ann"': d, '"bob"': 7}
    ages.insert(String::from("ann"), depth);
    ages.insert(String::from("bob"), 7);
    let mut ordered: BTreeMap<u8, u8> = BTreeMap::new(); // known: ordered = {'1': 2}
    ordered.insert(1, 2);
    let mut tall: BTreeMap<u32, String> = BTreeMap::new(); // known: tall = {str(i): "n%d" % i for i in range(0, 450, 3)}
    let mut numbers: BTreeSet<i16> = BTreeSet::new(); // known: numbers = [i * 2 - 90 for i in range(100)]
    let hollow: BTreeSet<u64> = BTreeSet::new(); // known: hollow = []
    for i in (0..450).rev().step_by(3) {
        let key = i / 3 * 3;
        tall.insert(key, format!("n{}", key));
    }
    for i in 0..100 {
        numbers.insert((i * 37 % 100) * 2 - 90);
    }
    black_box((&some, &none, &good, &bad, &circle, &rectangle, &nothing, &boxed, &counted, &shared));
    black_box((&reference, &ages, &ordered, &tall, &numbers, &hollow));
    let result = if depth >= 48 { die() } else { scalars(depth + 1) };
    black_box((&some, &none, &good, &bad, &circle, &rectangle, &nothing, &boxed, &counted, &shared));
    black_box((&reference, &ages, &ordered, &tall, &numbers, &hollow));
    result + boxed.y as u64
}

#[inline(never)]
fn die() -> u64 {
    std::process::abort()
}

fn main() {
    let start = std::env::args().count() as u32 - 1;
    println!("{}", scalars(black_box(start)));
}
