import Captures
import Glibc
import Kernel
import Namespaces
import Packets

/// `divert replay` of a million packets: packets a second, and the memory of the greediest.
enum ReplayBench {
  private static let count = 1_000_000
  private static let rounds = 5

  static func run() throws {
    let directory = try ScratchDirectory(named: "divert-bench")
    let (rules, capture) = ("\(directory.path)/rules", "\(directory.path)/capture.pcapng")
    var text = OutputBuffer(to: try file(rules), "write \(rules)")
    for port in 1...10 { text.append(Array("add deny tcp from 10.0.0.\(port) to any \(port) in\n".utf8)) }
    try text.flush()
    try writeCapture(capture)
    print("\n| divert replay, 10 rules, \(count) packets | packets/s |\n|---|---|")
    for (title, options) in [
      ("a summary", []), ("a verdict a line", ["--verdicts"]),
      ("what passed written", ["--write", "/dev/null"]),
    ] {
      var times: [Double] = []
      for _ in 0..<rounds {
        let start = ContinuousClock.now
        let words = [Programs.path("divert"), "replay", "--rules", rules] + options + [capture]
        let result = try LeashedProcess(["sh", "-c", #"exec "$@" >/dev/null"#, "sh"] + words).result()
        guard result.status == 0 else { throw SystemError("replay: \(result.errors)", code: EPROTO) }
        times.append((ContinuousClock.now - start) / .seconds(1))
      }
      print("| \(title) | \(Int(Double(count) / times.sorted()[rounds / 2])) |")
    }
    // of this process as well, before it became another one
    var usage = rusage()
    getrusage(RUSAGE_CHILDREN.rawValue, &usage)
    print("\nmemory: at most \(usage.ru_maxrss / 1024) MiB")
  }

  private static func file(_ path: String) throws(SystemError) -> Descriptor {
    Descriptor(owning: try retrying("make \(path)") { open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600) })
  }

  /// Of UDP from changing addresses and ports, 64 bytes each.
  private static func writeCapture(_ path: String) throws(SystemError) {
    var writer = CaptureWriter(writing: try file(path), "write \(path)")
    var numbers = Numbers()
    var packet: [UInt8] = [0x45, 0, 0, 64, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 0, 203, 0, 113, 1]
    packet += [0, 0, 0, 53, 0, 44, 0, 0] + [UInt8](repeating: 0, count: 36)
    for index in 0..<count {
      packet[15] = UInt8(numbers.next(256))
      packet[20] = UInt8(128 + numbers.next(128))
      packet[21] = UInt8(numbers.next(256))
      try writer.write(
        packet.span.bytes, wireLength: packet.count, time: UInt64(index) * 1_000_000, comment: [])
    }
    try writer.flush()
  }
}
