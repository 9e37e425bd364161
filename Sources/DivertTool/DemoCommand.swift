import ArgumentParser

struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: "A tour of diverting, on three hosts simulated in this process.",
    discussion: "Needs no privilege and touches no interface of this machine.")

  @Flag(help: "On simulated hosts, which is what happens without this flag, too.")
  var simulated = false

  func run() throws {
    try Demo(say: say).run()
  }
}
