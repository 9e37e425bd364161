import Divert
import DivertWire
import Foundation
import Namespaces
import Kernel
import TestSupport
import Testing

/// Three network namespaces in a row, with divertd in the middle one.
final class LinuxScenario: ScenarioHost {
  let a: Namespace
  let b: Namespace
  let c: Namespace
  let daemon: RunningDaemon

  init(_ options: [String] = []) throws {
    a = try Namespace()
    b = try Namespace()
    c = try Namespace()
    // Link-local addresses are of use at once: without duplicate address detection (RFC 4862 §5.4).
    for host in [a, b, c] { try host.run("sysctl", "-q", "-w", "net.ipv6.conf.default.accept_dad=0") }
    try Namespace.connect(a, "vethA", "192.0.2.1/24", b, "em0", "192.0.2.2/24")
    try Namespace.connect(c, "vethC", "198.51.100.2/24", b, "em1", "198.51.100.1/24")
    try a.run("ip", "route", "add", "default", "via", "192.0.2.2")
    try c.run("ip", "route", "add", "default", "via", "198.51.100.1")
    try b.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    for (host, address, interface) in [
      (a, "2001:db8:1::1/64", "vethA"), (b, "2001:db8:1::2/64", "em0"),
      (b, "2001:db8:2::1/64", "em1"), (c, "2001:db8:2::2/64", "vethC"),
    ] {
      try host.run("ip", "addr", "add", address, "dev", interface, "nodad")
    }
    try a.run("ip", "route", "add", "default", "via", "2001:db8:1::2")
    try c.run("ip", "route", "add", "default", "via", "2001:db8:2::1")
    daemon = try RunningDaemon(in: b, options)
  }

  @discardableResult
  func ipfw(_ command: String) throws -> String { try daemon.ipfw(command) }

  func open(port: UInt16, options: DivertOptions) throws(SystemError) -> DivertSocket {
    try DivertSocket(port: port, on: DivertDaemon(path: daemon.socket), options: options)
  }

  func setPolicy(_ policy: UnboundPolicy, ofPort port: UInt16) throws {
    try b.run(
      [Programs.path("divert"), "policy", String(port), "\(policy)"], environment: daemon.environment)
  }

  func ping(_ destination: String, count: Int, size: Int, programs: [ScenarioProgram]) throws -> Int {
    // Once an answer has come, ping waits for the last one only as long as its interval, or two round trips: on a busy
    // machine that has to be long. Many are sent where none is to be answered.
    let interval = count > 10 ? "0.02" : "0.2"
    let ping = try a.start([
      "ping", "-n", "-c", String(count), "-s", String(size), "-i", interval, "-W", "2", destination,
    ])
    let running = Flag()
    let workers = programs.map { program in
      let worker = Thread {
        while running.isSet {
          // A refused packet is that packet's error, and the loop guard's refusal is what some scenarios want.
          _ = try? program.step(wait: .milliseconds(20))
        }
        running.left()
      }
      worker.start()
      return worker
    }
    let output = ping.result().output
    running.clear(waitFor: workers.count)
    guard let summary = output.split(separator: "\n").first(where: { $0.contains("packets transmitted") }),
      let received = summary.split(separator: ",").dropFirst().first?.split(separator: " ").first.flatMap({
        Int($0)
      })
    else {
      throw ProcessFailure(words: ["ping"], result: ProcessResult(status: 1, output: output, errors: ""))
    }
    return received
  }

  func send(_ size: Int, to destination: String, port: UInt16, mark: UInt32, owner: UInt32) throws {
    // A socket belongs to the user who has opened it; marking it is root's.
    let program = """
      import os, socket, sys
      size, to, port, mark, owner = [int(word) if word.isdigit() else word for word in sys.argv[1:]]
      os.seteuid(owner)
      s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM)
      os.seteuid(0)
      s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
      s.sendto(bytes(size), (to, port))
      """
    try b.run("python3", "-c", program, "\(size)", destination, "\(port)", "\(mark)", "\(owner)")
  }

  func name(of interface: DivertAddress.Interface) -> String? {
    guard case .index(let index) = interface, let links = try? b.run("ip", "-o", "link").output else {
      return nil
    }
    // 7: em0@if2: <BROADCAST,…
    return links.split(separator: "\n").first { $0.hasPrefix("\(index): ") }.map {
      String($0.dropFirst("\(index): ".count).prefix { $0 != "@" && $0 != ":" })
    }
  }

  func packets(countedBy rule: UInt16) throws -> UInt64 {
    let lines = try ipfw("show \(rule)").split(separator: "\n")
    return lines.reduce(0) { $0 + (UInt64($1.split(separator: " ")[1]) ?? 0) }
  }
}

/// What the threads of a ping ask: whether it still runs.
private final class Flag: @unchecked Sendable {
  private let condition = NSCondition()
  private var value = true
  private var gone = 0

  var isSet: Bool { condition.withLock { value } }

  func left() {
    condition.withLock {
      gone += 1
      condition.signal()
    }
  }

  func clear(waitFor count: Int) {
    condition.withLock {
      value = false
      while gone < count { condition.wait() }
    }
  }
}

/// divertd in a namespace, with a control socket of its own.
final class RunningDaemon {
  let socket: String
  let process: LeashedProcess
  private let namespace: Namespace
  private let directory: URL

  /// - Parameters:
  ///   - socket: The place of an earlier one, if it is to be this one's.
  ///   - prefix: Words that start it.
  init(
    in namespace: Namespace, _ options: [String] = [], socket: String? = nil, prefix: [String] = []
  ) throws {
    self.namespace = namespace
    directory =
      socket.map { URL(fileURLWithPath: $0).deletingLastPathComponent() }
      ?? FileManager.default.temporaryDirectory.appending(path: "divert-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    self.socket = directory.appending(path: "divertd.sock").path
    try? FileManager.default.removeItem(atPath: self.socket)
    process = try namespace.start(
      prefix + [Programs.path("divertd"), "--foreground", "--socket", self.socket] + options)
    try waitForSocket()
  }

  deinit {
    process.signal(SIGTERM)
    process.result()
    try? FileManager.default.removeItem(at: directory)
  }

  /// The socket appears when everything is in place; its directory tells (inotify).
  private func waitForSocket() throws {
    let watch = inotify_init1(CInt(O_CLOEXEC))
    defer { close(watch) }
    inotify_add_watch(watch, directory.path, 0x80 | 0x100)  // IN_MOVED_TO, IN_CREATE
    var buffer = [UInt8](repeating: 0, count: 4096)
    while !FileManager.default.fileExists(atPath: socket) {
      guard kill(process.identifier, 0) == 0 else {
        throw ProcessFailure(words: ["divertd"], result: process.result())
      }
      var query = pollfd(fd: watch, events: Int16(POLLIN), revents: 0)
      poll(&query, 1, 200)
      if query.revents != 0 { read(watch, &buffer, buffer.count) }
    }
  }

  var environment: [String: String] { ["DIVERT_SOCKET": socket] }

  @discardableResult
  func ipfw(_ command: String) throws -> String {
    try namespace.run(
      [Programs.path("ipfw")] + command.split(separator: " ").map(String.init), environment: environment
    ).output
  }
}
