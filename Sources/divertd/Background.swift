import ArgumentParser
import Glibc
import Kernel

/// The daemon as a process of its own: the program starts itself anew, in a session of its own, and waits until it is
/// ready.
enum Background {
  /// Returns when the daemon is ready; exits as it did when it could not start.
  static func start(_ arguments: [String]) throws {
    let ready = try Pipe()
    // Not /proc/self/exe itself: the process would be called `exe`.
    let child = try spawn(
      try ownPath(), arguments + ["--ready-descriptor", "3"], descriptors: [(ready.writing.number, 3)],
      inNewSession: true)
    guard readSome(of: ready.keepReading()).isEmpty else { return }
    throw ExitCode(waitForEnd(of: child))
  }

  /// Lets the starter return, by an empty line, and lets go of its terminal.
  static func tellReady(_ descriptor: CInt) {
    let nowhere = unsafe open("/dev/null", O_RDWR)
    for standard in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] { _ = dup2(nowhere, standard) }
    _ = close(nowhere)
    _ = unsafe chdir("/")
    var byte = UInt8(ascii: "\n")
    _ = unsafe write(descriptor, &byte, 1)
    _ = close(descriptor)
  }
}
