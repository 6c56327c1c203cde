#!/usr/bin/env escript
%% -*- erlang -*-
%% Asks a real OTP supervisor what it does, and prints the rows of otp_table.inc:
%%     tests/unit/supervision/otp_table.escript > tests/unit/supervision/otp_table.inc
%% Only whoever wants to renew the table needs Erlang (Debian: erlang-base); the test reads the table alone.

-mode(compile).
-export([init/1, child/1, live/2]).

main(_) ->
    logger:set_primary_config(level, none),
    io:format("// What OTP ~s does. Made by otp_table.escript; a row is~n"
              "// {strategy, intensity, types of a, b and c, events, what was done a event}.~n"
              "// clang-format off~n", [erlang:system_info(otp_release)]),
    [row(S, I, T, E) || {S, I, T, E} <- cases()].

strategies() -> [one_for_one, rest_for_one, one_for_all].
types() -> [permanent, transient, temporary].

cases() ->
    %% Each child of each type ends in each way, among siblings of each type.
    [{S, 9, place(V, T, O), [{E, V}]} ||
        S <- strategies(), T <- types(), O <- types(), V <- [a, b, c], E <- [crash, 'end']]
    %% A transient sibling had ended before; a temporary one, too.
    ++ [{S, 9, place(V, T, permanent), [{'end', V}, {crash, X}]} ||
           S <- strategies(), T <- [transient, temporary], V <- [a, b, c], X <- [a, b, c], X =/= V]
    %% A restart whose start fails, of the child itself or of one taken along, once and twice.
    ++ [{S, 9, permanent(), [{fail, F} || _ <- lists:seq(1, N)] ++ [{crash, X}, {crash, X}]} ||
           S <- strategies(), F <- [a, b, c], X <- [a, b, c], N <- [1, 2]]
    %% Restarts up to the intensity, and one more: by one child, by several, by failing starts.
    ++ [{S, I, permanent(), lists:duplicate(I + 1, {crash, X})} ||
           S <- strategies(), I <- [0, 1, 2], X <- [a, b, c]]
    ++ [{S, 1, permanent(), [{crash, X}, {'end', b}]} || S <- strategies(), X <- [a, c]]
    ++ [{S, 2, permanent(), [{fail, b}, {fail, b}, {crash, X}]} || S <- strategies(), X <- [a, b, c]]
    %% Ends that are followed by no restart count for nothing.
    ++ [{S, 1, place(b, T, permanent), [{'end', b}, {crash, a}]} ||
           S <- strategies(), T <- [transient, temporary]]
    %% Stopped and started by hand, which counts for nothing either.
    ++ [{S, 0, place(b, T, permanent), [{stop, b}, {start, b}, {stop, b}]} ||
           S <- strategies(), T <- [permanent, transient]]
    %% A stopped child, and a sibling's restart.
    ++ [{S, 9, permanent(), [{stop, b}, {crash, X}]} || S <- strategies(), X <- [a, c]].

permanent() -> place(a, permanent, permanent).

place(V, T, Others) -> [{X, case X of V -> T; _ -> Others end} || X <- [a, b, c]].

row(Strategy, Intensity, Types, Events) ->
    Self = self(),
    Log = spawn_link(fun() -> log([]) end),
    register(log, Log),
    ets:new(fails, [named_table, public, duplicate_bag]),
    Runner = spawn(fun() ->
        process_flag(trap_exit, true),
        {ok, Sup} = supervisor:start_link(?MODULE, {Strategy, Intensity, Types}),
        take(Sup),
        Done = [begin event(Sup, E), take(Sup) end || E <- Events],
        Self ! {done, Done},
        exit(Sup, kill)
    end),
    receive {done, Done} -> ok end,
    M = monitor(process, Runner), receive {'DOWN', M, _, _, _} -> ok end,
    ets:delete(fails),
    unregister(log), unlink(Log), exit(Log, kill),
    io:format("{\"~s\", ~p, \"~s\",~n \"~s\",~n \"~s\"},~n",
              [Strategy, Intensity, join(" ", [atom_to_list(T) || {_, T} <- Types]),
               join(",", [atom_to_list(E) ++ " " ++ atom_to_list(X) || {E, X} <- Events]),
               join(" | ", Done)]).

event(_, {fail, X}) -> ets:insert(fails, {X, ets:info(fails, size)});
event(Sup, {stop, X}) -> supervisor:terminate_child(Sup, X);
event(Sup, {start, X}) -> supervisor:restart_child(Sup, X);
event(Sup, {How, X}) ->
    case catch lists:keyfind(X, 1, supervisor:which_children(Sup)) of
        {X, Pid, _, _} when is_pid(Pid) ->
            M = monitor(process, Pid),
            Pid ! How,
            receive {'DOWN', M, _, _, _} -> ok end;
        _ -> gone
    end.

%% What was done, once the supervisor has nothing more to do.
take(Sup) ->
    timer:sleep(5),
    [catch supervisor:which_children(Sup) || _ <- lists:seq(1, 10)],
    End = receive {'EXIT', Sup, _} -> ["finished abnormally"] after 1 -> [] end,
    log ! {take, self()},
    receive {log, Words} -> join(", ", Words ++ End) end.

log(Words) ->
    receive
        {take, To} -> To ! {log, lists:reverse(Words)}, log([]);
        Word -> log([Word | Words])
    end.

join(Between, Words) -> lists:flatten(lists:join(Between, Words)).

%% The supervisor and its children.

init({Strategy, Intensity, Types}) ->
    {ok, {#{strategy => Strategy, intensity => Intensity, period => 60},
          [#{id => X, start => {?MODULE, child, [X]}, restart => T} || {X, T} <- Types]}}.

child(X) -> proc_lib:start_link(?MODULE, live, [self(), X]).

live(Parent, X) ->
    process_flag(trap_exit, true),
    log ! "start " ++ atom_to_list(X),
    case ets:lookup(fails, X) of
        [First | _] ->
            ets:delete_object(fails, First),
            proc_lib:init_ack(Parent, {error, no_memory});
        [] ->
            proc_lib:init_ack(Parent, {ok, self()}),
            receive
                crash -> exit(boom);
                'end' -> exit(normal);
                {'EXIT', Parent, Why} -> log ! "stop " ++ atom_to_list(X), exit(Why)
            end
    end.
