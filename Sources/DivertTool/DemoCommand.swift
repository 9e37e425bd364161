import ArgumentParser
import Glibc
import Namespaces

struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: "A tour of diverting, in three network namespaces made for it.",
    discussion: """
      As root, the hosts of the tour are network namespaces of this machine's kernel; they touch none of its \
      interfaces and are gone afterwards, whatever happens. Where that cannot be, the tour says what is missing and \
      takes place on hosts simulated in this process. Exit status: 0; 70 when something did not happen as told.
      """)

  @Flag(help: "On simulated hosts, even if the kernel could do it.")
  var simulated = false

  func run() throws {
    do {
      if !simulated, let stage = Self.kernelStage() {
        return try stage.inB { try Demo(on: stage, say: say).run() }
      }
      try Demo(on: SimulatedStage(), say: say).run()
    } catch {
      complain("divert demo: \(Self.line(error))")
      throw ExitCode(70)
    }
  }

  /// The kernel as the stage, or nil, and it has been said what is missing.
  private static func kernelStage() -> KernelStage? {
    limitTime()
    do {
      return try KernelStage()
    } catch {
      say("Missing for the tour on this machine's kernel: \(line(error)).\n")
      return nil
    }
  }

  /// Every wait has its own limit; this one is for what nobody has thought of. Whatever has been started ends with
  /// this process.
  private static func limitTime() {
    signal(SIGALRM) { _ in
      let text: StaticString = "divert demo: it takes longer than 50 seconds; ended\n"
      _ = unsafe write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
      _exit(70)
    }
    alarm(50)
  }

  /// A program's own words, where one has failed.
  private static func line(_ error: any Error) -> String {
    let told = (error as? ProcessFailure)?.result.errors.split(separator: "\n").first
    return String(told ?? "\(error)".split(separator: "\n").first ?? "it does not say why")
  }
}
