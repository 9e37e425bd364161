import ArgumentParser
import Firewall

@main
struct DivertTool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "divert",
    abstract: "Reads, shows and writes back diverted packets.",
    discussion: """
      Rules divert packets to a port (`ipfw add 100 divert 2000 icmp from any to any in`); these commands are programs \
      behind that port. Statistics go to standard error at the end, on Ctrl-C and on SIGTERM.

      Exit status: 0; 64 wrong usage; 69 divertd is not running or has gone; 71 another failure; 77 no privilege.
      """,
    version: divertVersion,
    subcommands: [PassCommand.self, DropCommand.self, DumpCommand.self, DemoCommand.self, ExecCommand.self])
}
