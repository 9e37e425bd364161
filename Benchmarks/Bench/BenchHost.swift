import Glibc
import Kernel
import Namespaces

/// A sends and receives; B is beside it with divertd, C without: its packets are undiverted, or NFQUEUE's.
final class BenchHost {
  private let a: Namespace
  private let b: Namespace
  private let c: Namespace
  private let daemon: LeashedProcess
  private let socket: String
  /// The program that serves NFQUEUE, where there is one.
  private let queue: String?
  private(set) var programMemory = 0

  init(queue: String?) throws {
    self.queue = queue
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

  /// The variants that can be had here.
  var variants: [Variant] { Variant.allCases.filter { !$0.isQueue || queue != nil } }

  func measure(_ variant: Variant, _ traffic: Traffic) throws -> Measurement {
    // For turns the program shares one CPU with both ends of the traffic.
    let program = try start(variant, traffic.kind == .turns ? Self.oneCPU : [])
    defer {
      program?.signal(SIGTERM)
      program?.result()
    }
    try divert(traffic, variant)
    defer { try? stopDiverting(traffic, variant) }
    let measured =
      switch traffic.kind {
      case .flood: try flood(variant, traffic, program)
      case .turns: try turns(variant, traffic, program)
      case .stream: try stream(variant, traffic, program)
      }
    if variant == .diverted, let program {
      programMemory = max(programMemory, memory(of: program.identifier))
    }
    return measured
  }

  private static let oneCPU = ["taskset", "-c", "0"]

  private func start(_ variant: Variant, _ prefix: [String]) throws -> LeashedProcess? {
    let divert = Programs.path("divert")
    switch variant {
    case .undiverted, .hooked: return nil
    case .diverted:
      let program = try b.start(prefix + [divert, "pass", "2000"], environment: environment)
      _ = try program.errorLine()
      return program
    case .unmodified:
      let program = try b.start(
        prefix + [divert, "exec", "--", Programs.path("Traffic"), "divert-loop", "2000"],
        environment: environment)
      _ = try program.line()
      return program
    case .documentedQueue, .carefulQueue:
      let loop = variant == .carefulQueue ? "careful" : "documented"
      let program = try c.start(prefix + [queue ?? "", loop, "0"])
      _ = try program.line()
      return program
    }
  }

  private func divert(_ traffic: Traffic, _ variant: Variant) throws {
    let way = traffic.direction == .incoming ? "in" : "out"
    switch variant {
    case .undiverted: break
    case .hooked: try ipfw("add 100 divert 2000 \(traffic.protocolName) from any to any 9 \(way)")
    case .diverted, .unmodified:
      try ipfw("add 100 divert 2000 \(traffic.protocolName) from any to any \(traffic.port) \(way)")
    case .documentedQueue, .carefulQueue: try iptables("-A", traffic)
    }
  }

  private func stopDiverting(_ traffic: Traffic, _ variant: Variant) throws {
    switch variant {
    case .undiverted: break
    case .hooked, .diverted, .unmodified: try ipfw("-f flush")
    case .documentedQueue, .carefulQueue: try iptables("-D", traffic)
    }
  }

  /// The chains of mangle are the first that incoming packets meet, and the last of outgoing ones.
  private func iptables(_ command: String, _ traffic: Traffic) throws {
    let chain = traffic.direction == .incoming ? "PREROUTING" : "POSTROUTING"
    try c.run(
      "iptables-legacy", "-w", "-t", "mangle", command, chain, "-p", traffic.protocolName, "--dport",
      String(traffic.port), "-j", "NFQUEUE", "--queue-num", "0")
  }

  private func ends(_ variant: Variant, _ direction: Direction) -> (
    from: Namespace, to: Namespace, address: String
  ) {
    let isBeside = variant == .undiverted || variant.isQueue
    let (other, network) = isBeside ? (c, "198.51.100") : (b, "192.0.2")
    return direction == .incoming ? (a, other, "\(network).2") : (other, a, "\(network).1")
  }

  // MARK: Traffic

  /// As many datagrams as one sender can make, for a second; what arrives counts.
  private func flood(_ variant: Variant, _ traffic: Traffic, _ program: LeashedProcess?) throws -> Measurement
  {
    let (from, to, address) = ends(variant, traffic.direction)
    let port = String(traffic.port)
    // 64 bytes of IP packet: 36 of payload.
    let counter = try to.start([Programs.path("Traffic"), "udp-count", port])
    _ = try counter.line()
    let clock = Clock(program)
    try from.run(Programs.path("Traffic"), "udp-flood", address, port, "800", "36")
    let (all, own) = clock.elapsed
    let (packets, microseconds) = numbers(counter.result().output)
    return Measurement(rate: packets / microseconds * 1000, cost: all / packets, programCost: own / packets)
  }

  /// 200 MB over one connection.
  private func stream(_ variant: Variant, _ traffic: Traffic, _ program: LeashedProcess?) throws
    -> Measurement
  {
    let (from, to, address) = ends(variant, traffic.direction)
    let port = String(traffic.port)
    let bytes = 200_000_000
    let sink = try to.start([Programs.path("Traffic"), "tcp-sink", port, String(bytes)])
    _ = try sink.line()
    let clock = Clock(program)
    let sent = try from.run(Programs.path("Traffic"), "tcp-source", address, port, String(bytes)).output
    let (all, own) = clock.elapsed
    sink.result()
    let microseconds = Double(sent.split(separator: " ").last?.dropLast() ?? "") ?? 1
    let kilobytes = Double(bytes) / 1000
    return Measurement(
      rate: Double(bytes) * 8 / microseconds, cost: all / kilobytes, programCost: own / kilobytes)
  }

  /// Datagrams that are sent and answered one at a time, all programs on one CPU: a round trip in microseconds.
  private func turns(_ variant: Variant, _ traffic: Traffic, _ program: LeashedProcess?) throws -> Measurement
  {
    let (from, to, address) = ends(variant, traffic.direction)
    let port = String(traffic.port)
    let echo = try to.start(Self.oneCPU + [Programs.path("Traffic"), "udp-echo", port])
    _ = try echo.line()
    let clock = Clock(program)
    let (count, microseconds) = numbers(
      try from.run(Self.oneCPU + [Programs.path("Traffic"), "udp-turns", address, port, "20000", "36"]).output
    )
    let (all, own) = clock.elapsed
    echo.signal(SIGKILL)
    return Measurement(rate: microseconds / count, cost: all / count, programCost: own / count)
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
