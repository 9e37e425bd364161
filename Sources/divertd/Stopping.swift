import Glibc
import Kernel
import LinuxHost

/// `divertd --stop`: ends the divertd of this network namespace, and what is enforced without one.
enum Stopping {
  static func stop(socket: String, pins: String) throws(SystemError) {
    let wasRunning = try endProcess(listeningAt: socket)
    let earlier = try KeptHost.remove(below: pins)
    guard wasRunning || earlier != nil else { return complain("nothing to stop") }
    // The lock is free now: this puts back what was changed.
    _ = try Settings(path: "\(earlier?.socket ?? socket).state")
  }

  /// - Returns: Whether there was one.
  private static func endProcess(listeningAt path: String) throws(SystemError) -> Bool {
    let action = "stop the divertd at \(path)"
    let connection: Descriptor
    do throws(SystemError) { connection = try UnixSocket.connect(to: path, timeLimit: .seconds(5)) } catch {
      if error.code == ENOENT || error.code == ECONNREFUSED { return false }
      throw error
    }
    // The credentials are those of the process that listens (unix(7), SO_PEERCRED), which need not answer.
    let peer = try Peer(of: connection)
    let process = try ProcessDescriptor(peer.processIdentifier, action)
    guard peer.user == 0, isInOwnNamespace(peer.processIdentifier) else {
      throw SystemError(
        action, code: EADDRINUSE,
        advice: "it serves another network namespace; say with --socket which to stop")
    }
    try process.send(SIGTERM, action)
    guard try process.waitForEnd(until: .now + .seconds(30)) else {
      throw SystemError(
        action, code: ETIMEDOUT,
        advice: "process \(peer.processIdentifier) does not end; kill it, and try again")
    }
    return true
  }

  private static func isInOwnNamespace(_ process: Int32) -> Bool {
    var (own, other) = (stat(), stat())
    guard unsafe stat("/proc/self/ns/net", &own) == 0,
      unsafe stat("/proc/\(process)/ns/net", &other) == 0
    else { return false }
    return own.st_dev == other.st_dev && own.st_ino == other.st_ino
  }
}
