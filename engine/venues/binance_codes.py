"""What the error codes of Binance USD-M prove of an order, for engine.venues.outcome. Called by binance.py."""

from collections.abc import Mapping

from engine.venues.outcome import Outcome, table_of

# https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code, as ccxt 4.5.90 lists it. Not in it, so
# UNKNOWN: -1000, -1001, -1006 and -1007 (internal, disconnected, "execution status unknown"), -2010 (on spot also a duplicate),
# -4117 (it is triggering). ccxt loses the code of maintenance, which has a sentence of its own there: UNKNOWN too.
# From memory: a request that is turned away with -1008 (busy) was not executed.
OUTCOMES: Mapping[str, Outcome] = table_of(
    exists="-4115 -4116",
    not_found="-2011 -2013",
    passed="-2021",
    not_taken="-1002 -1003 -1008 -1015 -1021 -1022 -1099 -1109 -2014 -2015 -2017 -5028",
    rejected="-1013 -1014 -1100 -1101 -1102 -1103 -1104 -1105 -1106 -1108 -1110 -1111 -1112 -1113 -1114 -1115 -1116 -1117"
    " -1118 -1119 -1120 -1121 -1122 -1126 -1127 -1128 -1130 -1131 -1136 -2012 -2016 -2018 -2019 -2020 -2022"
    " -2023 -2024 -2025 -2026 -2027 -2028 -4000 -4001 -4002 -4003 -4004 -4005 -4006 -4007 -4008 -4009 -4010 -4011"
    " -4012 -4013 -4014 -4015 -4016 -4017 -4018 -4019 -4020 -4021 -4022 -4023 -4024 -4025 -4026 -4027 -4028 -4029"
    " -4030 -4031 -4032 -4033 -4044 -4045 -4047 -4048 -4050 -4051 -4052 -4053 -4054 -4055 -4060 -4061 -4062 -4067"
    " -4068 -4087 -4088 -4104 -4118 -4120 -4131 -4135 -4136 -4137 -4138 -4139 -4140 -4141 -4142 -4144 -4164 -4165"
    " -4183 -4184 -4192 -4210 -4211 -4400 -4401 -4402 -4403 -5021 -5022 -5024 -5025 -5026 -5027 -5037 -5038 -5039"
    " -5040 -5041 -5047",
)
