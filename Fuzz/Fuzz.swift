import Glibc

// libFuzzer has the `main`, and calls these two. Which parser is fed says the variable FUZZ_TARGET.

/// By name; `make fuzz` goes through them.
let targets: [(name: String, parse: @Sendable ([UInt8]) -> Void)] = [
  ("captures", captures),
  ("control", controlMessages),
  ("fragments", fragments),
  ("frames", frames),
  ("packets", packets),
  ("rules", rules),
]

private let parse: @Sendable ([UInt8]) -> Void = {
  let name = getenv("FUZZ_TARGET").map { String(cString: $0) }
  guard let target = targets.first(where: { $0.name == name }) else {
    print("FUZZ_TARGET is one of \(targets.map(\.name).joined(separator: ", "))")
    exit(64)
  }
  return target.parse
}()

/// The bytes go on as an array: whoever reads past its end traps.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  parse(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}
