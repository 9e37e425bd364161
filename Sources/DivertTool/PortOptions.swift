import ArgumentParser
import Divert
import Glibc

/// What the programs behind a port have in common.
struct PortOptions: ParsableArguments {
  @Argument(help: "The divert port, 0 for any free one.")
  var port: UInt16

  @Option(name: .shortAndLong, help: "End after this many packets.")
  var count: UInt64?

  @Option(name: .shortAndLong, help: "End after this many seconds.")
  var timeout: Double?

  @Option(help: "Where divertd listens (DIVERT_SOCKET, else /run/divertd.sock).")
  var socket: String?

  func validate() throws {
    if let count, count == 0 { throw ValidationError("--count wants at least one packet") }
    if let timeout, !(timeout >= 0 && timeout <= 1e9) {
      throw ValidationError("--timeout wants a number of seconds")
    }
  }

  /// Opens the port and lets `body` have the batches until the end; then tells the statistics.
  ///
  /// - Parameter drains: Whether `body` has what still waits at the end, too.
  func run(drains: Bool = false, _ body: (inout PortLoop) throws(SystemError) -> Void) throws {
    do throws(SystemError) {
      let socket = try DivertSocket(port: port, on: DivertDaemon(path: socket))
      var loop = try PortLoop(socket, count: count, timeout: timeout.map { .seconds($0) }, drains: drains)
      complain("divert: listening on divert port \(loop.port)")
      defer { complain(loop.statistics.line) }
      try body(&loop)
    } catch {
      complain("divert: \(error)")
      throw ExitCode(error.exitStatus)
    }
  }
}

extension SystemError {
  /// As sysexits(3) has it.
  var exitStatus: CInt {
    switch code {
    case ENOENT, ECONNREFUSED, ECONNRESET, ENETDOWN, ENODEV, ENXIO: 69
    case EPERM, EACCES: 77
    default: 71
    }
  }
}

extension DivertStatistics {
  var line: String {
    "read \(received), written back \(reinjected), refused \(refused), lost to a full buffer \(droppedFull)"
  }
}

/// A line on standard error.
func complain(_ line: String, end: String = "\n") { write(line + end, to: STDERR_FILENO) }

/// Text on standard output, at once.
func say(_ text: String) { write(text, to: STDOUT_FILENO) }

private func write(_ text: String, to descriptor: CInt) {
  var rest = Array(text.utf8)[...]
  while !rest.isEmpty {
    let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
    if count < 0, errno != EINTR { return }
    rest = rest.dropFirst(max(0, count))
  }
}
