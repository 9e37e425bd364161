import ArgumentParser
import Divert
import Glibc
import Kernel

struct ExecCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exec", abstract: "Runs a program written for BSD's divert sockets, as it is.",
    usage: "divert exec [--socket PATH] -- PROGRAM [ARGUMENT ...]",
    discussion: """
      Sockets that PROGRAM makes by socket(PF_INET, SOCK_RAW, 254 or 258) or socket(44, SOCK_RAW, 0) are divert sockets; \
      nothing else about it changes. It works by a library that the loader loads into PROGRAM and into what PROGRAM \
      starts; static, set-user-ID and Go programs are refused, since it would not reach them: Linux would give them a \
      raw socket of IP protocol 254 instead, without a word.

      Exit status: PROGRAM's own; 64 wrong usage; 69 divertd is not running, or the library cannot be loaded into \
      PROGRAM; 126 PROGRAM cannot be executed; 127 there is no such program.
      """)

  @Option(help: "Where divertd listens (DIVERT_SOCKET, else /run/divertd.sock).")
  var socket: String?

  @Argument(parsing: .captureForPassthrough, help: "The program and its arguments.")
  var words: [String]

  func run() throws {
    var words = words
    if words.first == "--" { words.removeFirst() }
    guard let name = words.first else { throw ValidationError("which program? divert exec -- PROGRAM") }
    if let socket { _ = unsafe setenv("DIVERT_SOCKET", socket, 1) }
    do throws(SystemError) {
      let program = try ProgramFile(name)
      if let obstacle = try program.obstacle() {
        throw SystemError("run \(name) on divert sockets", code: ENOTSUP, advice: obstacle)
      }
      // A program that finds no divertd says something else than what is wrong.
      _ = try ControlConnection(path: ControlConnection.path)
      try Self.preload(try Self.library())
      try Self.become(program, words)
    } catch {
      complain("divert exec: \(error)")
      throw ExitCode(status(for: error, name))
    }
  }

  private func status(for error: SystemError, _ name: String) -> CInt {
    switch (error.action == name, error.code) {
    case (true, ENOENT): 127
    case (true, _): 126
    case (false, ENOTSUP): 69
    default: error.exitStatus
    }
  }

  /// Beside this program, as it was built, or in the `lib` beside its directory, as it is installed.
  private static func library() throws(SystemError) -> String {
    let own = try ownPath().split(separator: "/", omittingEmptySubsequences: false).dropLast()
    let places = [own.joined(separator: "/"), own.dropLast().joined(separator: "/") + "/lib"]
    let name = "libdivert-preload.so"
    guard let place = places.first(where: { unsafe access("\($0)/\(name)", R_OK) == 0 }) else {
      throw SystemError(
        "find \(name)", code: ENOENT,
        advice: "it is not in \(places.joined(separator: " or ")); install it again")
    }
    // The loader takes both for the end of a name.
    guard !place.contains(where: { $0 == ":" || $0 == " " }) else {
      throw SystemError(
        "load \(place)/\(name)", code: ENOTSUP, advice: "move it to where no name has a blank or a colon")
    }
    return "\(place)/\(name)"
  }

  /// In front of others: they see what a program does with other sockets, not frames.
  private static func preload(_ library: String) throws(SystemError) {
    let others = unsafe getenv("LD_PRELOAD").map { unsafe ":" + String(cString: $0) } ?? ""
    _ = try retrying("set LD_PRELOAD") { unsafe setenv("LD_PRELOAD", library + others, 1) }
  }

  private static func become(_ program: ProgramFile, _ words: [String]) throws(SystemError) {
    var code = execute(program.path, words)
    // A script without a first line that says what runs it is the shell's, as execvp(3) has it.
    if code == ENOEXEC { code = execute("/bin/sh", ["/bin/sh", program.path] + words.dropFirst()) }
    // The script is there; it is the other file that the kernel speaks of.
    throw SystemError(words[0], code: code, advice: program.interpreter.map { "it is a script for \($0)" })
  }

  /// - Returns: Why it did not.
  private static func execute(_ path: String, _ words: [String]) -> CInt {
    var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
    unsafe execv(path, &arguments)
    return errno
  }
}
