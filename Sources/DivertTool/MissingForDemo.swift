import Glibc
import Kernel

/// What this machine lacks for the tour on its kernel.
struct MissingForDemo: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }

  /// Looks for what can be known beforehand; what the kernel can do shows when divertd starts.
  ///
  /// - Returns: Where divertd and ipfw are.
  static func check() throws(MissingForDemo) -> (divertd: String, ipfw: String) {
    guard geteuid() == 0 else { throw MissingForDemo("root (try sudo)") }
    for program in ["ip", "ping", "unshare", "nsenter"] { _ = try path(of: program, in: searchPath) }
    let own = [directoryOfThisProgram].compactMap { $0 } + searchPath
    return (try path(of: "divertd", in: own), try path(of: "ipfw", in: own))
  }

  private static func path(of program: String, in directories: [String]) throws(MissingForDemo) -> String {
    let candidates = directories.map { "\($0)/\(program)" }
    guard let path = candidates.first(where: { unsafe access($0, X_OK) == 0 }) else {
      throw MissingForDemo("the program \(program)")
    }
    return path
  }

  private static var searchPath: [String] {
    let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/sbin:/usr/bin:/sbin:/bin"
    return path.split(separator: ":").map(String.init)
  }

  private static var directoryOfThisProgram: String? {
    guard let path = try? ownPath() else { return nil }
    return path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
  }
}
