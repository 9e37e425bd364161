import Divert
import Glibc
import Kernel
import Namespaces
import Synchronization

/// Three network namespaces of this machine's kernel, with divertd in the middle one. They have no names and end with
/// this process, however it ends.
final class KernelStage: DemoStage {
  let setting = "Three network namespaces of this machine's kernel, joined by veth; divertd runs in B."
  let farewell =
    "That was this machine's kernel. The namespaces and all that ran there end with this program."
  let patience = Duration.seconds(5)
  let host: DivertDaemon
  private let a: Namespace
  private let b: Namespace
  private let c: Namespace
  private let directory: ScratchDirectory
  private let divertd: LeashedProcess
  private let ping = Mutex<LeashedProcess?>(nil)
  private let sender: DemoDatagrams
  private let receiver: DemoDatagrams
  private let socket: String
  private let ipfwPath: String

  /// - Throws: What is missing on this machine.
  init() throws {
    let (divertdPath, ipfwPath) = try MissingForDemo.check()
    a = try Namespace()
    b = try Namespace()
    c = try Namespace()
    try Namespace.connect(a, "em0", "192.0.2.1/24", b, "em0", "192.0.2.2/24")
    try Namespace.connect(c, "em0", "198.51.100.2/24", b, "em1", "198.51.100.1/24")
    try a.run("ip", "route", "add", "default", "via", "192.0.2.2")
    try c.run("ip", "route", "add", "default", "via", "198.51.100.1")
    try b.entered { try writeSmallFile("/proc/sys/net/ipv4/ip_forward", "1") }
    sender = try a.entered { try DemoDatagrams(port: Self.portOfA) }
    receiver = try c.entered { try DemoDatagrams(port: Self.portOfC) }
    directory = try ScratchDirectory(named: "divert-demo")
    let socket = "\(directory.path)/divertd.sock"
    host = DivertDaemon(path: socket)
    self.socket = socket
    self.ipfwPath = ipfwPath
    divertd = try Self.startDivertd(divertdPath, in: b, socket: socket)
  }

  deinit {
    divertd.signal(SIGTERM)
    _ = try? divertd.result(within: patience)
  }

  /// The line that says that it is ready is an empty one.
  private static func startDivertd(
    _ path: String, in namespace: Namespace, socket: String
  ) throws -> LeashedProcess {
    let process = try namespace.start([
      "sh", "-c", #"exec "$0" --socket "$1" --ready-descriptor 3 3>&1"#, path, socket,
    ])
    do {
      _ = try process.line(within: .seconds(5))
    } catch let failure as ProcessFailure {
      throw MissingForDemo(failure.result.errors)
    }
    return process
  }

  /// Runs something in B, where interfaces have the names that the tour tells.
  func inB<Result>(_ body: () throws -> Result) throws -> Result { try b.entered(body) }

  func ipfw(_ command: String) throws -> String {
    let words = [ipfwPath] + command.split(separator: " ").map(String.init)
    let result = try b.start(words, environment: ["DIVERT_SOCKET": socket]).result(within: patience)
    guard result.status == 0 else { throw ProcessFailure(words: words, result: result) }
    return result.output
  }

  func startPing(sequence: UInt16) throws {
    let process = try a.start(["ping", "-n", "-c", "1", "-W", "1", Self.addressOfB])
    ping.withLock { $0 = process }
  }

  func pingResult() throws -> [String] {
    guard let process = ping.withLock({ $0.take() }) else { return [] }
    let lines = try process.result(within: patience).output.split(separator: "\n").map(String.init)
    return lines.filter { $0.contains("bytes from") || $0.contains("transmitted") }
  }

  func send(_ message: String) throws {
    try sender.send(message, to: Self.addressOfC, port: Self.portOfC)
  }

  func receive() throws -> String? { try receiver.receive(within: patience) }
}
