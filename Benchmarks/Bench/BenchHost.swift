import Glibc
import Kernel
import Namespaces

/// A sends and receives; B is beside it with divertd, C without.
final class BenchHost {
  private let a: Namespace
  private let b: Namespace
  private let c: Namespace
  private let daemon: LeashedProcess
  private let socket: String
  private(set) var programMemory = 0

  init() throws {
    a = try Namespace()
    b = try Namespace()
    c = try Namespace()
    try Namespace.connect(a, "toB", "192.0.2.1/24", b, "em0", "192.0.2.2/24")
    try Namespace.connect(a, "toC", "198.51.100.1/24", c, "em0", "198.51.100.2/24")
    socket = "/tmp/divert-bench-\(getpid()).sock"
    daemon = try b.start([Programs.path("divertd"), "--foreground", "--socket", socket])
    while access(socket, F_OK) != 0 { usleep(10_000) }
  }

  deinit {
    daemon.signal(SIGTERM)
    daemon.result()
    unlink(socket + ".state")
  }

  private var environment: [String: String] { ["DIVERT_SOCKET": socket] }

  private func ipfw(_ words: String) throws {
    try b.run(
      [Programs.path("ipfw"), "-q"] + words.split(separator: " ").map(String.init), environment: environment)
  }

  var daemonMemory: Int { memory(of: daemon.identifier) }

  /// VmHWM, in KiB.
  private func memory(of process: Int32) -> Int {
    let status = (try? readSmallFile("/proc/\(process)/status")) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
  }

  // MARK: Variants

  func withVariant(
    _ variant: Variant, _ direction: Direction, _ protocolName: String, port: Int,
    _ measure: (LeashedProcess?) throws -> Measurement
  ) throws -> Measurement {
    let way = direction == .incoming ? "in" : "out"
    switch variant {
    case .undiverted: return try measure(nil)
    case .hooked:
      try ipfw("add 100 divert 2000 \(protocolName) from any to any 9 \(way)")
      defer { try? ipfw("-f flush") }
      return try measure(nil)
    case .diverted, .unmodified:
      let divert = Programs.path("divert")
      let program: LeashedProcess
      if variant == .diverted {
        program = try b.start([divert, "pass", "2000"], environment: environment)
        _ = try program.errorLine()
      } else {
        program = try b.start(
          [divert, "exec", "--", Programs.path("Traffic"), "divert-loop", "2000"], environment: environment)
        _ = try program.line()
      }
      try ipfw("add 100 divert 2000 \(protocolName) from any to any \(port) \(way)")
      defer { try? ipfw("-f flush") }
      let measured = try measure(program)
      if variant == .diverted { programMemory = max(programMemory, memory(of: program.identifier)) }
      program.signal(SIGTERM)
      program.result()
      return measured
    }
  }

  private func ends(_ variant: Variant, _ direction: Direction) -> (
    from: Namespace, to: Namespace, address: String
  ) {
    let other = variant == .undiverted ? c : b
    let network = variant == .undiverted ? "198.51.100" : "192.0.2"
    return direction == .incoming ? (a, other, "\(network).2") : (other, a, "\(network).1")
  }

  // MARK: Traffic

  /// As many datagrams as one sender can make, for a second; what arrives counts.
  func flood(_ variant: Variant, _ direction: Direction, _ program: LeashedProcess?) throws -> Measurement {
    let (from, to, address) = ends(variant, direction)
    // 64 bytes of IP packet: 36 of payload.
    let counter = try to.start([Programs.path("Traffic"), "udp-count", "7002"])
    _ = try counter.line()
    let clock = Clock(program)
    try from.run(Programs.path("Traffic"), "udp-flood", address, "7002", "800", "36")
    let (all, own) = clock.elapsed
    let (packets, microseconds) = numbers(counter.result().output)
    return Measurement(rate: packets / microseconds * 1000, cost: all / packets, programCost: own / packets)
  }

  /// 200 MB over one connection.
  func stream(_ variant: Variant, _ direction: Direction, _ program: LeashedProcess?) throws -> Measurement {
    let (from, to, address) = ends(variant, direction)
    let bytes = 200_000_000
    let sink = try to.start([Programs.path("Traffic"), "tcp-sink", "7003", String(bytes)])
    _ = try sink.line()
    let clock = Clock(program)
    let sent = try from.run(Programs.path("Traffic"), "tcp-source", address, "7003", String(bytes)).output
    let (all, own) = clock.elapsed
    sink.result()
    let microseconds = Double(sent.split(separator: " ").last?.dropLast() ?? "") ?? 1
    let kilobytes = Double(bytes) / 1000
    return Measurement(
      rate: Double(bytes) * 8 / microseconds, cost: all / kilobytes, programCost: own / kilobytes)
  }

  private func numbers(_ line: String) -> (Double, Double) {
    let words = line.split { $0 == " " || $0 == "\n" }.compactMap { Double($0) }
    return words.count == 2 && words[0] > 0 && words[1] > 0 ? (words[0], words[1]) : (1, .infinity)
  }
}

/// CPU time in microseconds since it was made: of the whole machine, and of one process.
private struct Clock {
  private let process: Int32?
  private let start: (Double, Double)

  init(_ program: LeashedProcess?) {
    process = program?.identifier
    start = Self.read(process)
  }

  var elapsed: (Double, Double) {
    let now = Self.read(process)
    return (now.0 - start.0, now.1 - start.1)
  }

  private static func read(_ process: Int32?) -> (Double, Double) {
    let tick = 1_000_000 / Double(sysconf(CInt(_SC_CLK_TCK)))
    // user, nice, system, idle, iowait, irq, softirq
    let machine = ((try? readSmallFile("/proc/stat")) ?? "").prefix { $0 != "\n" }.split(separator: " ")
      .compactMap { Double($0) }
    let busy = machine.count > 6 ? machine[0] + machine[1] + machine[2] + machine[5] + machine[6] : 0
    guard let process, let text = try? readSmallFile("/proc/\(process)/stat"),
      let after = text.split(separator: ")").last?.split(separator: " ").map({ Double($0) ?? 0 }),
      after.count > 12
    else { return (busy * tick, 0) }
    return (busy * tick, (after[11] + after[12]) * tick)
  }
}
