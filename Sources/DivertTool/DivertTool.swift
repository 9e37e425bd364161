import ArgumentParser
import Firewall

@main
struct DivertTool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "divert",
    abstract: "Reads, shows, writes back and replays diverted packets.",
    discussion: """
      Rules divert packets to a port (`ipfw add 100 divert 2000 icmp from any to any in`); pass, drop and dump are \
      programs behind that port. Their statistics go to standard error at the end, on Ctrl-C and on SIGTERM. stat tells \
      of all ports, policy says what happens while there is no such program. replay tries rules on packets that have \
      been captured before. exec runs programs that were written for BSD.

      Exit status: 0; 64 wrong usage; 65 bad rules or capture; 66 a file that cannot be read; 69 divertd is not \
      running or has gone; 71 another failure; 73 a file that cannot be made; 77 no privilege.
      """,
    version: divertVersion,
    subcommands: [
      PassCommand.self, DropCommand.self, DumpCommand.self, StatCommand.self, PolicyCommand.self,
      ExecCommand.self,
      DemoCommand.self, ReplayCommand.self,
    ])
}
