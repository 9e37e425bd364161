import ArgumentParser
import Divert
import DivertWire
import Glibc

struct PolicyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy", abstract: "Says what happens to packets while nobody has bound their port.",
    discussion: """
      drop is what divert(4) does, and what happens unless something else is said. pass lets a packet count for the rule \
      that takes it and go on with the very next one. divert stat tells the policies.
      """)

  @Argument(help: "The divert port.")
  var port: UInt16

  @Argument(help: ArgumentHelp("What happens to packets: pass or drop.", valueName: "policy"))
  var policy: Policy

  @OptionGroup var daemon: DaemonOptions

  func validate() throws {
    if port == 0 { throw ValidationError("port 0 is none: ports are 1 to 65535") }
  }

  func run() throws {
    try daemon.ask { (control) throws(SystemError) in
      guard case .done = try control.ask(.policy(port: port, policy == .pass ? .pass : .drop)) else {
        throw SystemError("set the policy of divert port \(port)", code: EPROTO)
      }
    }
  }
}

extension PolicyCommand {
  enum Policy: String, ExpressibleByArgument { case pass, drop }
}
