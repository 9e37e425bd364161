import ArgumentParser
import Divert
import Glibc

/// What the commands that ask divertd have in common.
struct DaemonOptions: ParsableArguments {
  @Option(help: "Where divertd listens (DIVERT_SOCKET, else /run/divertd.sock).")
  var socket: String?

  /// Has divertd answer; what it refuses is the end.
  func ask(_ body: (inout ControlConnection) throws(SystemError) -> Void) throws {
    do throws(SystemError) {
      var control = try ControlConnection(path: socket ?? ControlConnection.path)
      do throws(SystemError) {
        try body(&control)
      } catch {
        guard error.code == EPIPE || error.code == ECONNRESET else { throw error }
        throw SystemError("hear from divertd", code: ECONNRESET, advice: "divertd has ended; start it again")
      }
    } catch {
      complain("divert: \(error)")
      throw ExitCode(error.exitStatus)
    }
  }
}
