import CSystem
import Glibc
package import Kernel

/// A program at a terminal of its own (a pseudo terminal without echo): what it prints to either stream, in order.
package final class TerminalProcess {
  private let terminal: Descriptor
  private let identifier: Int32
  private var printed = ""

  package init(_ path: String, _ words: [String], variables: [String] = []) throws(SystemError) {
    let number = try retrying("open a terminal") { open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC) }
    terminal = Descriptor(owning: number)
    // ioctl_tty(2): TIOCSPTLCK, TIOCGPTPEER
    var isLocked: CInt = 0
    _ = try retrying("unlock a terminal") { csystem_ioctl(number, 0x4004_5431, &isLocked) }
    let flags = UnsafeMutableRawPointer(bitPattern: Int(O_RDWR | O_NOCTTY | O_CLOEXEC))
    let program = Descriptor(
      owning: try retrying("open the program's end of a terminal") { csystem_ioctl(number, 0x5441, flags) })
    var settings = termios()
    tcgetattr(program.number, &settings)
    settings.c_lflag &= ~tcflag_t(ECHO)
    settings.c_oflag &= ~tcflag_t(OPOST)
    tcsetattr(program.number, TCSANOW, &settings)
    identifier = try spawn(
      path, words, variables: variables,
      descriptors: [(program.number, 0), (program.number, 1), (program.number, 2)])
  }

  /// Waits until it has printed this, and types something.
  package func answer(_ question: String, with text: String) throws {
    while !printed.hasSuffix(question) {
      let more = readSome(of: terminal)
      guard !more.isEmpty else {
        throw SystemError("read \(question.debugDescription), not \(printed.debugDescription)")
      }
      printed += String(decoding: more, as: UTF8.self)
    }
    let bytes = Array(text.utf8)
    _ = try retrying("type") { write(terminal.number, bytes, bytes.count) }
  }

  /// Waits for its end: everything that it has printed, and its exit status.
  package func end() -> (printed: String, status: CInt) {
    // when the last program has closed the terminal, reading fails with EIO
    while true {
      let more = readSome(of: terminal)
      if more.isEmpty { break }
      printed += String(decoding: more, as: UTF8.self)
    }
    return (printed, waitForEnd(of: identifier))
  }
}
